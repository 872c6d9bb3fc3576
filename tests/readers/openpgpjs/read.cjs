// Open a message, or verify a signature made apart, with OpenPGP.js; what was found goes out as JSON.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const openpgp = require("openpgp");

const [act, room] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(room, name));

async function main() {
  const sender = await openpgp.readKey({ binaryKey: read("sender.pgp") });
  const signed = act !== "open";
  const asked = { verificationKeys: sender, expectSigned: signed, format: "binary" };
  let answer;
  if (act !== "verify") {
    answer = await openpgp.decrypt({
      ...asked,
      message: await openpgp.readMessage({ armoredMessage: read("message").toString("ascii") }),
      decryptionKeys: await openpgp.readPrivateKey({ binaryKey: read("secret.pgp") }),
    });
    fs.writeFileSync(path.join(room, "plain"), answer.data);
  } else {
    answer = await openpgp.verify({
      ...asked,
      message: await openpgp.createMessage({ binary: read("signed") }),
      signature: await openpgp.readSignature({
        armoredSignature: read("signature").toString("ascii"),
      }),
    });
  }
  if (signed) {
    await answer.signatures[0].verified; // rejects unless it is good and by the key at hand
  }
  process.stdout.write(JSON.stringify({ by: signed ? sender.getFingerprint() : "" }));
}

main().catch((error) => {
  process.stdout.write(JSON.stringify({ error: String(error) }));
  process.exitCode = 1;
});
