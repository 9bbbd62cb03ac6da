import { HOUR } from "./hour.ts";
import { fails, type KillEnd, type KillProgress, type KillWork, type Prepared, works } from "./kill-work.ts";

/** The new login, or what was there before it. */
const replaced = (at: KillProgress, { credential }: Prepared): KillEnd =>
  at.reached("file/renamed") ? { sends: 0, accessToken: credential?.accessToken } : works(1);
const isRemoved = (at: KillProgress) => at.reached("file/removed") || at.reached("file/renamed");

/** What may be said of a store that a login or a logout left empty when it was killed. */
const emptyBy = {
  login: (at: KillProgress) =>
    fails(
      "AUTHORIZATION_REQUIRED",
      at.reached("lineage/file/renamed") ? "login-unsaved" : "never-logged-in",
      0,
    ),
  logout: fails("AUTHORIZATION_REQUIRED", "logged-out-elsewhere", 0),
};

/** Every way of a login and of a logout. */
export const KILL_LOGINS: readonly KillWork[] = [
  {
    name: "a first login",
    work: "login",
    often: true,
    prepare: (lab, home, store) => lab.nobody(home, store),
    end: (at, prepared) => (at.reached("file/renamed") ? replaced(at, prepared) : emptyBy.login(at)),
  },
  {
    name: "a login over another",
    work: "login",
    often: true,
    async prepare(lab, home, store) {
      const prepared = await lab.aged(home, store, 1);
      return { ...prepared, credential: lab.newLogin() };
    },
    end: replaced,
  },
  {
    name: "a login with a refresh token that was tried before",
    work: "login",
    async prepare(lab, home, store) {
      const prepared = await lab.expired(home, store);
      lab.authority.habits.set(prepared.token, "fails");
      for (const hours of [3, 2]) await lab.failed(home, store, hours);
      lab.authority.habits.delete(prepared.token);
      const { accessToken } = lab.authority.login();
      const credential = lab.credential({ accessToken, refreshToken: prepared.token }, HOUR);
      return { ...prepared, credential };
    },
    end: replaced,
  },
  {
    name: "a login with a refresh token that was spent long ago",
    work: "login",
    async prepare(lab, home, store) {
      const prepared = await lab.aged(home, store, 1);
      const credential = lab.newLogin();
      await lab.spentTokens(home, 3, credential.refreshToken);
      return { ...prepared, credential };
    },
    end: replaced,
  },
  {
    name: "a login into the keyring, with a copy in the file",
    work: "login",
    stores: ["auto"],
    async prepare(lab, home, store) {
      const prepared = await lab.twice(home, store);
      return { ...prepared, credential: lab.newLogin() };
    },
    end: replaced,
  },
  {
    name: "a logout",
    work: "logout",
    often: true,
    prepare: (lab, home, store) => lab.aged(home, store, 1),
    end: (at) => (isRemoved(at) ? emptyBy.logout : works(1)),
  },
  {
    name: "a logout of the only entry",
    work: "logout",
    stores: ["aggregate file"],
    often: true,
    async prepare(lab, home, store) {
      const prepared = await lab.aged(home, store, 1);
      await lab.removeOthers(home, store);
      return prepared;
    },
    end: (at) => (isRemoved(at) ? emptyBy.logout : works(1)),
  },
  {
    name: "a logout of a login that nobody noted",
    work: "logout",
    prepare: (lab, home, store) => lab.expired(home, store),
    end: (at) => (isRemoved(at) ? emptyBy.logout : works(1)),
  },
  {
    name: "a logout that finds a sealed answer",
    work: "logout",
    after: "sealed",
    prepare: (lab, home, store) => lab.aged(home, store, 1),
    end: (at) => (isRemoved(at) ? emptyBy.logout : works(0)),
  },
  {
    name: "a logout from the keyring and the file",
    work: "logout",
    stores: ["auto"],
    prepare: (lab, home, store) => lab.twice(home, store),
    // The keyring's entry goes first: until the file's has gone too, that is the login.
    end: (at) => (at.reached("file/renamed") ? emptyBy.logout : works(1)),
  },
];
