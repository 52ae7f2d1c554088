package schema

// SocketOptions are the options of a listen entry that say where it listens. The
// loader takes them out of the list (compat.Listener has the result), so that a
// table only documents them.
func SocketOptions[T any]() []Option[T] {
	return []Option[T]{
		{
			Name: "ip", Value: Loader[T]("an IP address as {127,0,0,1}, {0,0,0,0,0,0,0,1} or in quotes"),
			Absent: "every address of the family: {0,0,0,0}, or :: with inet6", Example: "{127,0,0,1}",
			Doc: "Address to listen on. An address beside the port, {{5222, \"127.0.0.1\"}, ...}, wins over it. " +
				"2.0.1 took tuples only and did not start with a string; here both are fine.",
			Since: "1.2.2", TOML: "ip_address", Effect: OnReload, Bad: Refused,
		},
		{
			Name: "inet6", Form: Bare, Value: Loader[T]("the atom alone"),
			Absent: "off", Example: "inet6",
			Doc: "Listens on :: where no address is given, for IPv6 and IPv4 alike; for IPv6 alone if another entry " +
				"listens on the same port with IPv4.",
			Since: "1.2.2", TOML: "ip_version", Effect: OnReload, Bad: AnyValue,
		},
		{
			Name: "inet", Form: Bare, Value: Loader[T]("the atom alone"),
			Absent: "off", Example: "inet",
			Doc:   "IPv4, the family that is used anyway. It has no effect.",
			Since: "1.2.2", TOML: "ip_version", Effect: OnReload, Bad: AnyValue,
			NoEffect: "IPv4 is used anyway",
		},
		{
			Name: "proto", Value: Loader[T]("tcp, udp, ws or wss"),
			Absent: "tcp", Example: "tcp",
			Doc: "Protocol, where the port does not say it: {{5222, tcp}, ...}. The words ws and wss mean tcp for " +
				"listeners of streams; no listener serves udp. Any other word counts as tcp.",
			Since: "1.2.2", TOML: "proto", Effect: OnReload, Bad: Ignored, BadTerm: "tcp",
		},
	}
}
