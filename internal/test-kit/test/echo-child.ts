import { connectParent } from "../src/index.ts";

const parent = connectParent();
process.stdout.write("a plain line\n");
parent.send({ ready: true });
const value = await parent.receive();
await parent.faultPoint("before-echo");
parent.send({ echo: value });
await parent.faultPoint("after-echo");
parent.close();
