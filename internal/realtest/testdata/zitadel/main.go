// The example server of zitadel/oidc, for the tests of the sidecar:
//
//	zitadel PORT
//
// The secrets of its clients are in the environment. It differs from the original in that it listens on loopback only
// and lets clients ask for the scopes of orders.
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const callback = "http://127.0.0.1:9/callback"

func main() {
	address := "127.0.0.1:" + os.Args[1]
	issuer := "http://" + address + "/"
	storage.RegisterClients(
		storage.WebClient("orders-web", os.Getenv("ORDERS_WEB_SECRET"), callback),
		storage.WebClient(jwtClient, os.Getenv("JWT_WEB_SECRET"), callback),
		storage.WebClient("shipping-web", os.Getenv("SHIPPING_WEB_SECRET"), callback),
	)
	store := ordersStorage{storage.NewStorage(storage.NewUserStore(issuer))}
	log.Fatal(http.ListenAndServe(address, exampleop.SetupServer(issuer, store, slog.Default(), false)))
}

// jwtClient gets access tokens that are JWTs.
const jwtClient = "jwt-web"

// ordersStorage is the storage of the example, whose clients may ask for more scopes.
type ordersStorage struct{ *storage.Storage }

func (s ordersStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return ordersClient{c}, nil
}

type ordersClient struct{ op.Client }

func (c ordersClient) IsScopeAllowed(scope string) bool {
	return scope == "orders:read" || scope == "orders:write" || c.Client.IsScopeAllowed(scope)
}

func (c ordersClient) AccessTokenType() op.AccessTokenType {
	if c.GetID() == jwtClient {
		return op.AccessTokenTypeJWT
	}
	return c.Client.AccessTokenType()
}
