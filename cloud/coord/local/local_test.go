package local_test

import (
	"testing"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/coord/coordtest"
	"cloudcanvas/cloud/coord/local"
)

func TestLocalConforms(t *testing.T) {
	defer goleak.VerifyNone(t)
	coordtest.Run(t, func(t *testing.T) coordtest.Group {
		return group{local.NewSpace()}
	})
}

type group struct{ space *local.Space }

func (g group) Open(t *testing.T, id string) coordtest.Party {
	c := g.space.Coordinator(id)
	t.Cleanup(func() { c.Close() })
	return coordtest.Party{Coordinator: c, Cut: c.Expire, Heal: func() {}}
}
