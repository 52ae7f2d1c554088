// A client for the tests, on @xmpp/client: it logs in, makes friends with a peer, and
// chats with it. It ends with 0 when it has seen everything, and says what is missing
// otherwise.
//
//   node xmppjs.mjs HOST PORT plain|starttls|tls JID PASSWORD PEER
import { client, xml, jid } from "@xmpp/client";

const [host, port, mode, address, password, peer] = process.argv.slice(2);
const own = jid(address);
const scheme = mode === "tls" ? "xmpps" : "xmpp";
const xmpp = client({
  service: `${scheme}://${host}:${port}`,
  domain: own.domain,
  username: own.local,
  password,
  resource: "xmppjs",
});
xmpp.reconnect.stop();

const todo = new Set(["online", "asked", "granted", "present", "greeted", "answered"]);
function done(what) {
  todo.delete(what);
  if (todo.size === 0) {
    console.log("ok");
    xmpp.stop().finally(() => process.exit(0));
  }
}
function fail(why) {
  console.log(`failed: ${why}; missing: ${[...todo].join(" ")}`);
  process.exit(1);
}
setTimeout(() => fail("time is up"), 20000);
xmpp.on("error", (err) => fail(err));

xmpp.on("stanza", async (el) => {
  const from = el.attrs.from ? jid(el.attrs.from).bare().toString() : "";
  if (from !== peer) return;
  if (el.is("presence")) {
    switch (el.attrs.type) {
      case "subscribe":
        done("asked");
        await xmpp.send(xml("presence", { to: peer, type: "subscribed" }));
        break;
      case "subscribed":
        done("granted");
        break;
      case undefined:
        done("present");
        await xmpp.send(xml("message", { to: peer, type: "chat", id: "hi" }, xml("body", {}, "hello from xmppjs <&>")));
        break;
    }
  } else if (el.is("message") && el.attrs.type !== "error") {
    const body = el.getChildText("body");
    if (body.startsWith("hello")) {
      done("greeted");
      await xmpp.send(xml("message", { to: el.attrs.from, type: "chat" }, xml("body", {}, `heard: ${body}`)));
    } else if (body === "heard: hello from xmppjs <&>") {
      done("answered");
    }
  }
});

xmpp.on("online", async () => {
  done("online");
  await xmpp.send(xml("presence"));
  await xmpp.send(xml("presence", { to: peer, type: "subscribe" }));
});
xmpp.start().catch(fail);
