package compat

import (
	"slices"
	"strings"

	"meerkat/cfgterm/schema"
)

// Names that MongooseIM 2.0.1 documents. A test compares them with the tables of the
// program, both ways.
var (
	documentedListeners = []string{"ejabberd_c2s", "ejabberd_s2s_in", "ejabberd_service", "ejabberd_cowboy"}

	documentedHandlers = []string{
		"mod_bosh", "mod_websockets", "mod_cowboy", "mod_revproxy", "mongoose_api", "mongoose_api_admin",
		"mongoose_api_client", "mongoose_client_api_messages", "mongoose_client_api_rooms",
		"mongoose_client_api_rooms_users", "mongoose_client_api_rooms_messages", "lasse_handler", "cowboy_static",
	}

	documentedModules = []string{
		"mod_adhoc", "mod_admin_extra", "mod_amp", "mod_auth_token", "mod_blocking", "mod_bosh", "mod_caps",
		"mod_carboncopy", "mod_commands", "mod_csi", "mod_disco", "mod_http_notification", "mod_http_upload",
		"mod_keystore", "mod_last", "mod_mam", "mod_mam_cache_user", "mod_mam_cassandra_arch",
		"mod_mam_cassandra_prefs", "mod_mam_meta", "mod_mam_mnesia_prefs", "mod_mam_muc", "mod_mam_muc_cache_user",
		"mod_mam_muc_cassandra_arch", "mod_mam_muc_odbc_arch", "mod_mam_muc_odbc_async_pool_writer",
		"mod_mam_odbc_arch", "mod_mam_odbc_async_pool_writer", "mod_mam_odbc_prefs", "mod_mam_odbc_user",
		"mod_mam_riak_timed_arch_yz", "mod_muc", "mod_muc_commands", "mod_muc_light", "mod_muc_light_commands",
		"mod_muc_log", "mod_offline", "mod_offline_stub", "mod_ping", "mod_privacy", "mod_private", "mod_pubsub",
		"mod_register", "mod_revproxy", "mod_roster", "mod_shared_roster_ldap", "mod_sic",
		"mod_stream_management", "mod_time", "mod_vcard", "mod_version",
	}
)

// Documented lists the names of one kind that MongooseIM 2.0.1 documents.
func Documented(k schema.Kind) []string {
	switch k {
	case schema.Listener:
		return slices.Clone(documentedListeners)
	case schema.Handler:
		return slices.Clone(documentedHandlers)
	case schema.Module:
		return slices.Clone(documentedModules)
	}
	return nil
}

// elsewhere is a name that does not exist in 2.0.1 but somewhere else.
type elsewhere struct {
	from    string // "MongooseIM 2.1"
	instead string // what to write in 2.0.1; "": nothing corresponds
}

const (
	ejabberd   = "ejabberd"
	thirdParty = "an extension that is not part of MongooseIM"
	route      = "a route of an ejabberd_cowboy listener: "
	gone       = ""
)

var otherListeners = map[string]elsewhere{
	"ejabberd_http":          {ejabberd, `{PORT, ejabberd_cowboy, [{modules, [{"_", "/http-bind", mod_bosh}]}]} and {mod_bosh, []} in modules`},
	"ejabberd_http_poll":     {ejabberd, gone},
	"ejabberd_stun":          {ejabberd, gone},
	"ejabberd_xmlrpc":        {ejabberd, "the REST API: an ejabberd_cowboy listener with mongoose_api_admin"},
	"ejabberd_http_ws":       {ejabberd, route + `{"_", "/ws-xmpp", mod_websockets, []}`},
	"ejabberd_sip":           {ejabberd, gone},
	"mod_proxy65_stream":     {ejabberd, gone},
	"mod_mqtt":               {ejabberd, gone},
	"mod_bosh":               {"MongooseIM 1.2", route + `{"_", "/http-bind", mod_bosh}, and {mod_bosh, []} in modules`},
	"mod_websockets":         {"MongooseIM 1.2", route + `{"_", "/ws-xmpp", mod_websockets, []}, with ssl where it was wss`},
	"mod_metrics":            {"MongooseIM 1.3", route + `{"localhost", "/api", mongoose_api, [{handlers, [mongoose_api_metrics]}]}`},
	"mod_cowboy":             {"MongooseIM 1.6", route + `{"_", "/[...]", mod_cowboy, [...]}`},
	"ejabberd_s2s":           {"a frequent mistake", "ejabberd_s2s_in"},
	"ejabberd_mod_http_bind": {ejabberd, route + `{"_", "/http-bind", mod_bosh}`},
	"mod_http_bind":          {ejabberd, route + `{"_", "/http-bind", mod_bosh}, and {mod_bosh, []} in modules`},
	"ejabberd_captcha":       {ejabberd, gone},
	"ejabberd_web_admin":     {ejabberd, gone},
	"ejabberd_c2s_websocket": {ejabberd, route + `{"_", "/ws-xmpp", mod_websockets, []}`},
	"mongoose_api":           {"a frequent mistake", route + `{"localhost", "/api", mongoose_api, [{handlers, [mongoose_api_metrics]}]}`},
	"mongoose_api_admin":     {"a frequent mistake", route + `{"localhost", "/api", mongoose_api_admin, []}`},
	"mod_revproxy":           {"a frequent mistake", route + `{"_", "/[...]", mod_revproxy, []}`},
	"mod_jingle_sip":         {"MongooseIM 2.2", gone},
}

var otherHandlers = map[string]elsewhere{
	"mod_metrics":                      {"MongooseIM 1.3", `{"localhost", "/api", mongoose_api, [{handlers, [mongoose_api_metrics]}]}`},
	"mod_http_bind":                    {ejabberd, `{"_", "/http-bind", mod_bosh}`},
	"ejabberd_http_ws":                 {ejabberd, `{"_", "/ws-xmpp", mod_websockets, []}`},
	"mod_http_api":                     {ejabberd, `{"localhost", "/api", mongoose_api_admin, []}`},
	"mod_http_fileserver":              {ejabberd, `{"_", "/files/[...]", cowboy_static, {dir, "PATH"}}`},
	"mod_http_upload":                  {ejabberd, "{mod_http_upload, [...]} in modules; files go to a service that speaks S3"},
	"mod_http_poll":                    {ejabberd, gone},
	"ejabberd_http_poll":               {ejabberd, gone},
	"ejabberd_web_admin":               {ejabberd, gone},
	"ejabberd_captcha":                 {ejabberd, gone},
	"ejabberd_oauth":                   {ejabberd, gone},
	"mod_register_web":                 {ejabberd, gone},
	"mod_conversejs":                   {ejabberd, gone},
	"cowboy_swagger_redirect_handler":  {"MongooseIM 3.6", gone},
	"cowboy_swagger_json_handler":      {"MongooseIM 3.6", gone},
	"mongoose_client_api_contacts":     {"MongooseIM 2.1", gone},
	"mongoose_client_api_rooms_config": {"MongooseIM 3.2", gone},
	"mongoose_client_api_sse":          {"a frequent mistake", `{"_", "/sse", lasse_handler, [mongoose_client_api_sse]}`},
	"mongoose_api_metrics":             {"a frequent mistake", "mongoose_api with {handlers, [mongoose_api_metrics]}"},
	"mongoose_api_users":               {"a frequent mistake", "mongoose_api with {handlers, [mongoose_api_users]}"},
	"mongoose_bosh_handler":            {"MongooseIM 6.6", "mod_bosh"},
	"mongoose_websocket_handler":       {"MongooseIM 6.6", "mod_websockets"},
	"mongoose_admin_api":               {"MongooseIM 6.0", "mongoose_api_admin"},
	"mongoose_client_api":              {"MongooseIM 6.0", "mongoose_api_client"},
}

var otherModules = map[string]elsewhere{
	// Modules of other releases of MongooseIM.
	"mod_push":                            {"MongooseIM 2.1", gone},
	"mod_push_service_mongoosepush":       {"MongooseIM 2.1", gone},
	"mod_aws_sns":                         {"MongooseIM 2.1", gone},
	"mod_event_pusher":                    {"MongooseIM 2.1.1", "mod_http_notification for the backend http"},
	"mod_global_distrib":                  {"MongooseIM 2.1.1", gone},
	"mod_jingle_sip":                      {"MongooseIM 2.2", gone},
	"mod_inbox":                           {"MongooseIM 3.0", gone},
	"mod_mam_elasticsearch_arch":          {"MongooseIM 3.1", gone},
	"mod_mam_muc_elasticsearch_arch":      {"MongooseIM 3.1", gone},
	"mod_event_pusher_rabbit":             {"MongooseIM 3.3", gone},
	"mod_event_pusher_http":               {"MongooseIM 2.1.1", "mod_http_notification"},
	"mod_smart_markers":                   {"MongooseIM 3.7", gone},
	"mod_offline_chatmarkers":             {"MongooseIM 3.7", gone},
	"mod_extdisco":                        {"MongooseIM 4.0", gone},
	"mod_presence":                        {"MongooseIM 6.1", "nothing: presence is built in"},
	"mod_mam_rdbms_arch":                  {"MongooseIM 3.2", "mod_mam_odbc_arch, or mod_mam_meta"},
	"mod_mam_rdbms_prefs":                 {"MongooseIM 3.2", "mod_mam_odbc_prefs, or mod_mam_meta"},
	"mod_mam_rdbms_user":                  {"MongooseIM 3.2", "mod_mam_odbc_user, or mod_mam_meta"},
	"mod_mam_rdbms_async_pool_writer":     {"MongooseIM 3.2", "mod_mam_odbc_async_pool_writer, or mod_mam_meta"},
	"mod_mam_muc_rdbms_arch":              {"MongooseIM 3.2", "mod_mam_muc_odbc_arch, or mod_mam_meta"},
	"mod_mam_muc_rdbms_async_pool_writer": {"MongooseIM 3.2", "mod_mam_muc_odbc_async_pool_writer, or mod_mam_meta"},
	"mod_mam_mnesia_dirty_prefs":          {"MongooseIM 1.x", "mod_mam_mnesia_prefs, or {user_prefs_store, mnesia} of mod_mam_meta"},
	"mod_mam_odbc_async_writer":           {"MongooseIM 1.x", "mod_mam_odbc_async_pool_writer"},
	"mod_mam_muc_odbc_async_writer":       {"MongooseIM 1.x", "mod_mam_muc_odbc_async_pool_writer"},
	"mod_mam_riak_arch":                   {"MongooseIM 1.x", "mod_mam_riak_timed_arch_yz"},
	"mod_metrics":                         {"MongooseIM 1.x", "nothing: metrics are built in; the REST API shows them"},
	"mod_snmp":                            {"MongooseIM 1.x", gone},
	"service_admin_extra":                 {"MongooseIM 2.2", "{mod_admin_extra, [...]}"},
	// HTTP modules are routes.
	"mod_websockets":      {"the listeners", route + `{"_", "/ws-xmpp", mod_websockets, []}`},
	"mod_cowboy":          {"the listeners", route + `{"_", "/[...]", mod_cowboy, [...]}`},
	"mod_http_bind":       {ejabberd, route + `{"_", "/http-bind", mod_bosh}, and {mod_bosh, []} here`},
	"mod_http_poll":       {ejabberd, gone},
	"ejabberd_http_poll":  {ejabberd, gone},
	"mod_http_fileserver": {ejabberd, route + `{"_", "/files/[...]", cowboy_static, {dir, "PATH"}}`},
	"web_admin":           {ejabberd, gone},
	// Storage variants were modules of their own.
	"mod_roster_odbc":        {ejabberd, "{mod_roster, [{backend, odbc}]}"},
	"mod_last_odbc":          {ejabberd, "{mod_last, [{backend, odbc}]}"},
	"mod_vcard_odbc":         {ejabberd, "{mod_vcard, [{backend, odbc}]}"},
	"mod_vcard_ldap":         {ejabberd, "{mod_vcard, [{backend, ldap}, ...]}"},
	"mod_privacy_odbc":       {ejabberd, "{mod_privacy, [{backend, odbc}]}"},
	"mod_private_odbc":       {ejabberd, "{mod_private, [{backend, odbc}]}"},
	"mod_offline_odbc":       {ejabberd, "{mod_offline, [{backend, odbc}]}"},
	"mod_pubsub_odbc":        {ejabberd, "{mod_pubsub, [...]}, which is kept in the embedded store"},
	"mod_shared_roster_odbc": {ejabberd, gone},
	// Modules of ejabberd.
	"mod_announce":         {ejabberd, gone},
	"mod_configure":        {ejabberd, gone},
	"mod_configure2":       {ejabberd, gone},
	"mod_echo":             {ejabberd, gone},
	"mod_ip_blacklist":     {ejabberd, gone},
	"mod_irc":              {ejabberd, gone},
	"mod_pres_counter":     {ejabberd, gone},
	"mod_proxy65":          {ejabberd, gone},
	"mod_register_web":     {ejabberd, gone},
	"mod_service_log":      {ejabberd, gone},
	"mod_shared_roster":    {ejabberd, "mod_shared_roster_ldap, which reads groups from LDAP"},
	"mod_stats":            {ejabberd, gone},
	"mod_vcard_xupdate":    {ejabberd, gone},
	"mod_muc_admin":        {ejabberd, "the command line and the REST API"},
	"mod_multicast":        {ejabberd, gone},
	"mod_fail2ban":         {ejabberd, gone},
	"mod_stream_mgmt":      {ejabberd, "mod_stream_management"},
	"mod_client_state":     {ejabberd, "mod_csi"},
	"mod_mix":              {ejabberd, gone},
	"mod_push_keepalive":   {ejabberd, gone},
	"mod_avatar":           {ejabberd, gone},
	"mod_s2s_dialback":     {ejabberd, "nothing: dialback is built in"},
	"mod_stun_disco":       {ejabberd, gone},
	"mod_block_strangers":  {ejabberd, gone},
	"mod_delegation":       {ejabberd, gone},
	"mod_privilege":        {ejabberd, gone},
	"mod_bookmarks":        {ejabberd, gone},
	"mod_http_api":         {ejabberd, route + `{"localhost", "/api", mongoose_api_admin, []}`},
	"mod_admin_update_sql": {ejabberd, gone},
	"mod_sip":              {ejabberd, gone},
	"mod_mqtt":             {ejabberd, gone},
	"mod_host_meta":        {ejabberd, gone},
	"mod_legacy_auth":      {ejabberd, "nothing: it is built in"},
	"mod_s2s_bidi":         {ejabberd, gone},
	// Third-party modules that real files name.
	"mod_ctlextra":         {thirdParty, "{mod_admin_extra, [...]}"},
	"mod_logxml":           {thirdParty, gone},
	"mod_log_rest":         {thirdParty, gone},
	"mod_log_chat":         {thirdParty, gone},
	"mod_onetime_password": {thirdParty, gone},
	"mod_shcommands":       {thirdParty, gone},
	"mod_user_status":      {thirdParty, gone},
	"mod_videobridge":      {thirdParty, gone},
	"mod_vitamin":          {thirdParty, gone},
	"mod_archive":          {thirdParty, "{mod_mam_meta, [...]}"},
	"mod_archive_odbc":     {thirdParty, "{mod_mam_meta, [{backend, odbc}]}"},
	"mod_rest":             {thirdParty, route + `{"localhost", "/api", mongoose_api_admin, []}`},
	"mod_xmlrpc":           {thirdParty, gone},
	"mod_statsdx":          {thirdParty, gone},
	"mod_online_users":     {thirdParty, gone},
}

// otherTerms are top-level options that 2.0.1 does not read.
var otherTerms = map[string]elsewhere{
	"auth_password_format":        {"MongooseIM 1.4", "{auth_opts, [{password_format, FORMAT}]}"},
	"auth_scram_iterations":       {"MongooseIM 1.4", "{auth_opts, [{scram_iterations, N}]}"},
	"ext_auth_script":             {"a page of the documentation that no release follows", `{auth_opts, [{extauth_program, "COMMAND"}]}`},
	"extauth_program":             {"MongooseIM 1.4", `{auth_opts, [{extauth_program, "COMMAND"}]}`},
	"password_format":             {"auth_opts", "{auth_opts, [{password_format, FORMAT}]}"},
	"scram_iterations":            {"auth_opts", "{auth_opts, [{scram_iterations, N}]}"},
	"ejabberdctl_access_commands": {"MongooseIM 1.4", "{mongooseimctl_access_commands, [...]}"},
	"ldap_deref_aliases":          {ejabberd, "{deref_aliases, WORD}"},
	"ldap_deref":                  {"MongooseIM 3.5", "{deref_aliases, WORD}"},
	"deref":                       {"MongooseIM 3.1", "{deref_aliases, WORD}"},
	"cassandra_server":            {"MongooseIM 2.0.0", "{cassandra_servers, [...]}"},
	"pool":                        {"MongooseIM 2.1", "{odbc_server, {pgsql, ...}} at the top level"},
	"odbc_pool":                   {"MongooseIM 2.1", "nothing: every host has one pool"},
	"outgoing_pools":              {"MongooseIM 3.2", "{odbc_server, ...}, {http_connections, ...}, {sm_backend, ...}"},
	"rdbms_server_type":           {"MongooseIM 3.2", "{odbc_server_type, TYPE}"},
	"elasticsearch_server":        {"MongooseIM 3.1", gone},
	"node_specific_options":       {"MongooseIM 3.1", gone},
	"services":                    {"MongooseIM 2.2", "{mod_admin_extra, [{submods, [...]}]} in modules, for service_admin_extra"},
	"cowboy_server_name":          {"MongooseIM 3.4", gone},
	"replaced_wait_timeout":       {"MongooseIM 3.4", gone},
	"gdpr_removal_for_disabled_modules": {
		"MongooseIM 3.4", gone,
	},
	"hide_service_name": {"MongooseIM 3.6", gone},
	"jwt_secret":        {"MongooseIM 2.1", gone},
	"sm_storage":        {ejabberd, "{sm_backend, {mnesia, []}}"},
	"captcha_cmd":       {ejabberd, gone},
	"captcha_host":      {ejabberd, gone},
	"captcha_limit":     {ejabberd, gone},
	"domain_balancing":  {ejabberd, gone},
	"domain_balancing_component_number": {
		ejabberd, gone,
	},
	"fqdn":                    {ejabberd, gone},
	"pam_service":             {ejabberd, gone},
	"pam_userinfotype":        {ejabberd, gone},
	"resource_conflict":       {ejabberd, gone},
	"http_poll_timeout":       {ejabberd, gone},
	"s2s_protocol_options":    {ejabberd, "{protocol_options, [...]} of the ejabberd_s2s_in listener"},
	"s2s_access":              {ejabberd, "{s2s_default_policy, WORD} and {{s2s_host, HOST}, WORD}"},
	"welcome_message":         {ejabberd, "{welcome_message, {SUBJECT, BODY}} of mod_register"},
	"registration_watchers":   {ejabberd, "{registration_watchers, [...]} of mod_register"},
	"default_db":              {ejabberd, "{backend, odbc} of each module"},
	"sql_type":                {ejabberd, "{odbc_server, {pgsql, ...}}"},
	"sql_server":              {ejabberd, "{odbc_server, {pgsql, ...}}"},
	"acme":                    {ejabberd, "{certfile, FILE} of the listeners"},
	"certfiles":               {ejabberd, "{certfile, FILE} of the listeners"},
	"access_rules":            {ejabberd, "{access, NAME, [{VALUE, ACL}]}"},
	"shaper_rules":            {ejabberd, "{access, NAME, [{SHAPER, ACL}]}"},
	"api_permissions":         {ejabberd, "{mongooseimctl_access_commands, [...]}"},
	"log_rotate_size":         {ejabberd, gone},
	"log_rotate_date":         {ejabberd, gone},
	"log_rotate_count":        {ejabberd, gone},
	"log_rate_limit":          {ejabberd, gone},
	"hide_sensitive_log_data": {ejabberd, gone},
	"auth_use_cache":          {ejabberd, gone},
	"trusted_proxies":         {ejabberd, gone},
	"c2s_tls_compression":     {ejabberd, gone},
	"s2s_tls_compression":     {ejabberd, gone},
	"sql_pool_size":           {ejabberd, "{odbc_pool_size, N}"},
	"s2s_timeout":             {ejabberd, gone},
	"negotiation_timeout":     {ejabberd, gone},
	"websocket_timeout":       {ejabberd, "{timeout, Milliseconds} of a mod_websockets route"},
	"websocket_ping_interval": {ejabberd, "{ping_rate, Milliseconds} of a mod_websockets route"},
	"s2s_use_tls":             {ejabberd, "{s2s_use_starttls, WORD}"},
	"clusterid":               {thirdParty, gone},
	"cowboy_port":             {"the variables of the template, which are filled in when a release is built", "the listener itself"},
	"cowboy_secure_port":      {"the variables of the template, which are filled in when a release is built", "the listener itself"},
	"ejabberd_c2s_port":       {"the variables of the template, which are filled in when a release is built", "the listener itself"},
	"node_name":               {"the variables of the template, which are filled in when a release is built", gone},
	"tls_config":              {"the variables of the template, which are filled in when a release is built", gone},
	"global_distrib_addr":     {"MongooseIM 2.1.1", gone},
}

// specialTerms are the names of the top level that are no plain options.
var specialTerms = []string{
	"hosts", "host", "acl", "access", "shaper", "listen", "modules", "host_config", "include_config_file",
	"define_macro", "use_macro", "override_global", "override_local", "override_acls",
	"domain_certfile", "s2s_host", "s2s_addr",
}

// nodeNames are the options that 2.0.1 stored for the node when it met them at the
// top level; all other pairs were stored for every host.
var nodeNames = map[string]bool{
	"alarms": true, "sm_backend": true, "outgoing_s2s_port": true, "s2s_dns_options": true, "s2s_use_starttls": true,
	"s2s_ciphers": true, "node_type": true, "cluster_nodes": true, "watchdog_admins": true, "watchdog_large_heap": true,
	"registration_timeout": true, "mongooseimctl_access_commands": true, "routing_modules": true, "max_fsm_queue": true,
	"sasl_mechanisms": true, "http_connections": true, "all_metrics_are_global": true, "loglevel": true, "language": true,
	"s2s_certfile": true, "outgoing_s2s_options": true, "riak_server": true, "cassandra_servers": true,
	// Stored per host by 2.0.1 and read nowhere; here they hold for the node.
	"s2s_max_retry_delay": true, "s2s_shared": true,
}

// storedPerHost are the options of nodeNames that 2.0.1 stored per host.
var storedPerHost = map[string]bool{"s2s_max_retry_delay": true, "s2s_shared": true}

// shared are the node options that a cluster shared.
var shared = map[string]bool{"language": true, "sm_backend": true}

// elsewhereHelp words what to do about a name of another release.
func (e elsewhere) help() string {
	if e.instead == "" {
		return "2.0.1 has nothing that corresponds; remove it"
	}
	if strings.HasPrefix(e.instead, "nothing") {
		return e.instead + "; remove it"
	}
	return "in 2.0.1: " + e.instead
}
