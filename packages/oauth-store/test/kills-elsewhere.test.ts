import { describeKills } from "./support/describe-kills.ts";

describeKills("single file");
describeKills("auto");
