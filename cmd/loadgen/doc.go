// Loadgen loads an XMPP server on the same machine, checks everything the
// server delivers while it loads it, and says what that cost the server. It is
// what "make bench" runs.
//
//	loadgen suite --server relay,meerkat,ejabberd,prosody [--quick]
//	loadgen chat --addr 127.0.0.1:5222 --pid 123 -n 100 -w 16
//
// The suite starts and stops the servers itself, with data in a temporary
// folder, on free ports of the loopback interface; a server that is not
// installed is skipped with the reason. Each test prints one JSON line (see
// result); at the end a Markdown table puts the servers beside each other, the
// budgets and the ceiling.
//
// Definitions. The figure to compare is what was done per second of CPU time
// of the server: user and system time of its process and all its children, from
// /proc, over the measured window. W is the window: the number of messages that
// each flow keeps under way; in a closed loop whoever reads a message (or an
// answer) sends the next one at once. A login is a whole session: TCP, STARTTLS
// where asked for, SASL, resource binding, session, initial presence until its
// echo is back. Memory is the resident (and proportional) size of the server's
// processes above what it had before the first session, per session. The
// ceiling is the relay, a forwarder made of next to nothing (see relay.go).
//
// Every message carries the number of its run, of its flow and of itself, and a
// body that is compared byte for byte; the sender's address is checked too. What
// is missing at the end is lost; a number that is not the next of its flow
// (a hole, a double, a swap) is disorder; everything else that is wrong is
// corrupt. Any of them makes the suite fail.
//
// It needs Linux: CPU and memory come from /proc, and connections are made from
// many addresses of 127.1.0.0/16, so that ports do not run out.
//
// It imports no other package of Meerkat: it is a client.
package main
