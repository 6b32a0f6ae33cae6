package main

import (
	"strings"
	"testing"

	"cloudcanvas/edge"
	"cloudcanvas/shared/brokertest"
)

func TestNamesThatTheShippedBrokerFilesDoNotTakeAreTold(t *testing.T) {
	cert, key := brokertest.NewAuthority(t, "devices").Issue(t, "mast-7")
	for _, c := range []struct {
		edge, id, cert string
		want           string
	}{
		{"mast-7", "", cert, ""}, {"mast-7", "mast-7", cert, ""}, {"mast-7", "", "", ""}, {"mast-7", "", "/nowhere", ""},
		{"mast-8", "", cert, "issued for \"mast-7\""}, {"mast-7", "my-device", cert, "in its place"}, {"canvas-bridge", "", "", "services"},
	} {
		var cfg edge.Config
		cfg.Edge, cfg.Cloud.ClientID, cfg.Cloud.Security.Cert, cfg.Cloud.Security.Key = c.edge, c.id, c.cert, key
		got := identity(cfg)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
