"""A client for the tests, on slixmpp: it logs in, makes friends with a peer, and chats
with it. It ends with 0 when it has seen everything, and says what is missing otherwise.

    slix.py HOST PORT plain|starttls|tls JID PASSWORD PEER
"""
import ssl
import sys

import slixmpp


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password, peer):
        super().__init__(jid + "/slix", password)
        self.peer = peer
        self.todo = {"online", "asked", "granted", "present", "greeted", "answered"}
        self.failure = None
        self.auto_authorize = self.auto_subscribe = None
        self.ssl_context = ssl._create_unverified_context()
        self.add_event_handler("session_start", self.online)
        self.add_event_handler("failed_auth", lambda _: self.fail("authentication failed"))
        self.add_event_handler("presence_subscribe", self.asked)
        self.add_event_handler("presence_subscribed", lambda p: self.done("granted", p))
        self.add_event_handler("presence_available", self.present)
        self.add_event_handler("message", self.message)
        self.schedule("time", 20, lambda: self.fail("time is up"))

    def done(self, what, stanza):
        if stanza is not None and stanza["from"].bare != self.peer:
            return
        self.todo.discard(what)
        if not self.todo:
            self.disconnect()

    def fail(self, why):
        self.failure = why
        self.abort()

    async def online(self, _):
        self.done("online", None)
        await self.get_roster()
        self.send_presence()
        self.send_presence(pto=self.peer, ptype="subscribe")

    def asked(self, presence):
        self.done("asked", presence)
        self.send_presence(pto=presence["from"].bare, ptype="subscribed")

    def present(self, presence):
        if presence["from"].bare == self.peer:
            self.send_message(mto=self.peer, mbody="hello from slixmpp <&>", mtype="chat")
        self.done("present", presence)

    def message(self, msg):
        if msg["body"].startswith("hello"):
            msg.reply("heard: " + msg["body"]).send()
            self.done("greeted", msg)
        elif msg["body"] == "heard: hello from slixmpp <&>":
            self.done("answered", msg)


host, port, mode, jid, password, peer = sys.argv[1:]
client = Client(jid, password, peer)
client.connect((host, int(port)), use_ssl=mode == "tls", force_starttls=mode == "starttls",
               disable_starttls=mode != "starttls")
client.process(forever=False)
if client.failure or client.todo:
    print("failed: %s; missing: %s" % (client.failure or "disconnected", " ".join(sorted(client.todo))))
    sys.exit(1)
print("ok")
