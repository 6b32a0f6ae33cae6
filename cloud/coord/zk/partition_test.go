package zk_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"cloudcanvas/cloud/coord/coordtest"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/brokertest"
)

// TestEnsembleConforms runs the suite over three servers, each party behind a network of its own that
// can be parted from all of them: both ways, or so that its requests arrive and the answers don't.
func TestEnsembleConforms(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts three servers")
	}
	z := brokertest.StartZooKeeper(t, 3)
	network := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	var groups atomic.Int64
	t.Run("Partition", func(t *testing.T) {
		for name, streams := range map[string][]string{"BothWays": {"upstream", "downstream"}, "AnswersLost": {"downstream"}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				coordtest.Run(t, func(t *testing.T) coordtest.Group {
					return parted{network, z.Servers, fmt.Sprintf("/canvas-%d", groups.Add(1)), streams}
				})
			})
		}
	})
}

// parted is a group whose parties reach every server through a toxic proxy.
type parted struct {
	network *toxiproxy.ApiServer
	servers []string
	root    string
	streams []string // in which nothing goes through when it is cut
}

func (g parted) Open(t *testing.T, id string) coordtest.Party {
	t.Helper()
	var proxies []*toxiproxy.Proxy
	var addresses []string
	for n, server := range g.servers {
		p := toxiproxy.NewProxy(g.network, fmt.Sprintf("%s-%s-%d", g.root, id, n), "127.0.0.1:0", server)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		proxies, addresses = append(proxies, p), append(addresses, p.Listen)
	}
	c, err := zk.Open(zk.Config{Servers: addresses, Root: g.root, SessionTimeout: session}, id, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return coordtest.Party{
		Coordinator: c,
		Cut: func() {
			for _, p := range proxies {
				for _, stream := range g.streams {
					// A timeout of 0 lets everything vanish until the toxic is taken away.
					toxic := fmt.Sprintf(`{"name":%q,"type":"timeout","stream":%q,"attributes":{"timeout":0}}`, stream, stream)
					if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
						t.Error(err)
					}
				}
			}
		},
		Heal: func() {
			for _, p := range proxies {
				p.Toxics.ResetToxics(t.Context())
			}
		},
	}
}
