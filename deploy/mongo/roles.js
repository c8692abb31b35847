// Users of MongoDB and what they may do, by deploy/rights.txt. Run it by users.sh, which says how; without it, this is `setup`:
//
//   MONGODB_URI_FILE=/run/secrets/uri PASSWORD_NURSE_FILE=… mongosh --nodb --quiet deploy/mongo/roles.js
//
// Roles and users are of the database itself, so that its administrator needs no right on any other.
const fs = require("fs");
const path = require("path");

const ADMINISTRATOR = "administrator";

const ACTIONS = { read: ["find"], write: ["insert", "update"], index: ["createIndex"], erase: ["remove"] };

// Everything that is done with the documents, erasing included; users and roles come with `userAdmin`.
const ADMINISTRATORS_ACTIONS = [
  "find", "insert", "update", "remove", "createCollection", "createIndex", "collMod", "collStats", "dbStats",
  "dropCollection", "dropIndex", "listCollections", "listIndexes",
];

class Refused extends Error {}

function refuse(why) {
  throw new Refused(why);
}

// The variable, or the content of the file that <variable>_FILE names.
function secret(variable) {
  const file = process.env[`${variable}_FILE`];
  const text = file ? fs.readFileSync(file, "utf8").trim() : process.env[variable];
  return text || refuse(`set ${variable} or ${variable}_FILE`);
}

function passwordOf(user) {
  return secret(`PASSWORD_${user.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`);
}

// Each role's collections with their actions.
function wantedRoles(database) {
  const table = process.env.RIGHTS || path.join(__dirname, "..", "rights.txt");
  const roles = {};
  for (const line of fs.readFileSync(table, "utf8").split("\n")) {
    const words = line.split(/\s+/).filter((word) => word);
    if (line.startsWith("#") || words[1] !== "collection") continue;
    const [role, , collection, may] = words;
    const actions = may.split(",").flatMap((word) => ACTIONS[word] || refuse(`no such right in ${table}: ${line}`));
    (roles[role] ||= []).push({ resource: { db: database, collection }, actions: actions.sort() });
  }
  return roles;
}

// Those of `some` that `others` do not have, an action each.
function without(some, others) {
  const single = (privileges) => privileges.flatMap(({ resource, actions }) => (
    actions.map((action) => ({ resource: { db: resource.db, collection: resource.collection }, actions: [action] }))
  ));
  const there = new Set(single(others).map((privilege) => JSON.stringify(privilege)));
  return single(some).filter((privilege) => !there.has(JSON.stringify(privilege)));
}

// `updateRole` would ask for rights on all databases.
function reconcileRole(db, role, privileges, roles) {
  const found = db.getRole(role, { showPrivileges: true });
  if (!found) {
    db.runCommand({ createRole: role, privileges, roles });
    print(`role ${role}: made`);
    return;
  }
  const missing = without(privileges, found.privileges || []);
  const surplus = without(found.privileges || [], privileges);
  if (missing.length > 0) db.runCommand({ grantPrivilegesToRole: role, privileges: missing });
  if (surplus.length > 0) db.runCommand({ revokePrivilegesFromRole: role, privileges: surplus });
  if (missing.length + surplus.length > 0) print(`role ${role}: ${missing.length} rights given, ${surplus.length} taken`);
}

function userOf(db, name) {
  return db.getUser(name) || refuse(`there is no user \`${name}\``);
}

function makeUser(db, name, role, pwd) {
  db.runCommand({ createUser: name, pwd, roles: [role], customData: { role } });
  print(`user ${name}: made, ${role}`);
}

function setup(db) {
  const wanted = wantedRoles(db.getName());
  const missing = [ADMINISTRATOR, ...Object.keys(wanted)].filter((name) => !db.getUser(name));
  // All passwords before anything is made.
  const passwords = Object.fromEntries(missing.map((name) => [name, passwordOf(name)]));
  const whole = [{ resource: { db: db.getName(), collection: "" }, actions: ADMINISTRATORS_ACTIONS }];
  reconcileRole(db, ADMINISTRATOR, whole, [{ role: "userAdmin", db: db.getName() }]);
  for (const [role, privileges] of Object.entries(wanted)) reconcileRole(db, role, privileges, []);
  for (const name of missing) makeUser(db, name, name, passwords[name]);
}

const COMMANDS = {
  setup,
  add(db, name, role) {
    if (!db.getRole(role)) refuse(`there is no role \`${role}\`, only: ${db.getRoles().roles.map((found) => found.role).join(" ")}`);
    if (db.getUser(name)) refuse(`there is a user \`${name}\` already`);
    makeUser(db, name, role, passwordOf(name));
  },
  password(db, name) {
    userOf(db, name);
    db.runCommand({ updateUser: name, pwd: passwordOf(name) });
  },
  block(db, name) {
    const { roles } = userOf(db, name);
    if (roles.length > 0) db.runCommand({ revokeRolesFromUser: name, roles });
  },
  unblock(db, name) {
    const { customData } = userOf(db, name);
    if (!customData?.role) refuse(`\`${name}\` was not made by this tool: give the user a role by hand`);
    db.runCommand({ grantRolesToUser: name, roles: [customData.role] });
  },
  remove(db, name) {
    userOf(db, name);
    db.runCommand({ dropUser: name });
  },
  list(db) {
    for (const { user, roles, customData } of db.getUsers().users.sort((a, b) => (a.user < b.user ? -1 : 1))) {
      print(roles.length > 0 ? `${user} ${roles.map(({ role }) => role).join(" ")}` : `${user} ${customData?.role} blocked`);
    }
  },
};

function main() {
  const [name = "setup", ...words] = (process.env.TRIAGE_USERS || "").split(" ").filter((word) => word);
  const command = COMMANDS[name] || refuse(`no such command: ${name}`);
  const db = new Mongo(secret("MONGODB_URI")).getDB(process.env.MONGODB_DATABASE || "Ehealth");
  command(db, ...words);
}

try {
  main();
} catch (error) {
  // The server's words may quote a command, and with it a password; its code and their name do not.
  const why = error instanceof Refused ? error.message : error.codeName || error.message;
  console.error(`users: ${why}`);
  process.exit(1);
}
