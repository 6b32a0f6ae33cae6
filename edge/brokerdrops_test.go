package edge

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"cloudcanvas/shared/mqtt"
)

func TestDropsOfTheLocalBrokerAreToldAsTheyGrow(t *testing.T) {
	var said bytes.Buffer
	d := &brokerDrops{log: slog.New(slog.NewTextHandler(&said, nil))}
	for _, count := range []string{"7", "7", "9", "nonsense", "-1", "9", "2", "2"} { // the broker begins anew at 2
		d.receive(mqtt.Message{Payload: []byte(count)})
	}
	if n := d.all.Load(); n != 4 || strings.Count(said.String(), "has dropped messages") != 2 || !strings.Contains(said.String(), "since_the_brokers_start=7") {
		t.Errorf("%d dropped:\n%s", n, said.String())
	}
}
