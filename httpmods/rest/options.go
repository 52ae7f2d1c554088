// Package rest holds the REST API for clients: mongoose_client_api_messages,
// mongoose_client_api_rooms, mongoose_client_api_rooms_users and
// mongoose_client_api_rooms_messages of ejabberd.cfg.
//
// It imports cfgterm/schema.
package rest

import "meerkat/cfgterm/schema"

// Options are the options of a route to one of the modules: none.
type Options struct{}

// Tables returns the option tables of the modules.
func Tables() []*schema.Table[Options] { return tables }

var tables = []*schema.Table[Options]{
	none("mongoose_client_api_messages", "Lets users send messages and read their archive. The route is /api/messages/[:with]."),
	none("mongoose_client_api_rooms", "Lets users list, make and look at rooms of mod_muc_light. The route is /api/rooms/[:id]."),
	none("mongoose_client_api_rooms_users", "Lets users add and remove occupants of a room. The route is /api/rooms/:id/users/[:user]."),
	none("mongoose_client_api_rooms_messages", "Lets users send to a room and read its archive. The route is /api/rooms/[:id]/messages."),
}

func none(name, doc string) *schema.Table[Options] {
	return &schema.Table[Options]{
		Name: name, Kind: schema.Handler, Proplist: true,
		Doc: doc + " Requests carry address and password (HTTP Basic). There are no options.",
	}
}
