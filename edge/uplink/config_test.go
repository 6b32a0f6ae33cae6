package uplink

import (
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
)

func TestEveryMistakeInTheSettingsIsNamedWithAHint(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"as it comes":           {func(*Config) {}, ""},
		"no window":             {func(c *Config) { c.Window = 0 }, "window: is 0, must be 1 to 1024"},
		"tiny parts":            {func(c *Config) { c.PartBytes = 10 }, "part_bytes: is 10, must be 1 KiB to 512 KiB"},
		"no patience":           {func(c *Config) { c.ReceiptTimeout = 0 }, "receipt_timeout: is 0s, must be at least 1s"},
		"unknown receipts":      {func(c *Config) { c.Receipts = "mail" }, "receipts: is \"mail\", must be bridge or puback"},
		"a negative rate":       {func(c *Config) { c.BytesPerSecond = -1 }, "bytes_per_second: is -1, must be at least 0"},
		"no queue at all":       {func(c *Config) { c.QueueDelay = 0 }, "queue_delay: is 0s, must be 10ms to 1m"},
		"nothing for the old":   {func(c *Config) { c.OldestShare = 0 }, "oldest_share: 0"},
		"a tiny budget":         {func(c *Config) { c.Budget.BytesPerDay = 1000 }, "budget.bytes_per_day: 1000 is less"},
		"contacts that are not": {func(c *Config) { c.Budget.BytesPerContact = 1 << 20 }, "budget.bytes_per_contact: needs contact windows"},
		"all for the urgent":    {func(c *Config) { c.Budget.UrgentShare = 1 }, "budget.urgent_share: 1"},
		"a bad pattern":         {func(c *Config) { c.Quotas = []schedule.Quota{{Streams: "[", Share: 0.1}} }, "quotas.0.streams: \"[\""},
		"a pattern twice":       {func(c *Config) { c.Quotas = []schedule.Quota{{Streams: "a", Share: 0.1}, {Streams: "a", Share: 0.1}} }, "quotas.1.streams: \"a\" stands twice"},
		"shares above all":      {func(c *Config) { c.Quotas = []schedule.Quota{{Streams: "a", Share: 0.7}, {Streams: "b", Share: 0.7}} }, "quotas: the shares add up to 1.40"},
		"a quota of nothing":    {func(c *Config) { c.Quotas = []schedule.Quota{{Streams: "a"}} }, "quotas.0: bounds nothing"},
		"a quota above all": {func(c *Config) {
			c.Budget.BytesPerDay, c.Quotas = 1<<20, []schedule.Quota{{Streams: "a", BytesPerDay: 2 << 20}}
		}, "quotas.0.bytes_per_day: is more than the whole budget"},
		"an order of nothing": {func(c *Config) { c.Order = []schedule.OrderRule{{Order: schedule.OldestFirst}} }, "order.0.streams: \"\""},
		"an unknown order":    {func(c *Config) { c.Order = []schedule.OrderRule{{Streams: "*", Order: "random"}} }, "order.0.order: \"random\""},
		"an unknown kind": {func(c *Config) {
			c.Order = []schedule.OrderRule{{Streams: "*", Kinds: []event.Kind{"thing"}, Order: schedule.ByValue}}
		}, "order.0.kinds.0: \"thing\""},
		"windows that run backward": {func(c *Config) {
			c.Contacts.List = []contact.Entry{{From: "2030-01-01T10:00:00Z", To: "2030-01-01T09:00:00Z"}}
		}, "contacts.list.0: ends at"},
		"two plans": {func(c *Config) {
			c.Contacts.List = []contact.Entry{{From: "2030-01-01T10:00:00Z", To: "2030-01-01T11:00:00Z"}}
			c.Contacts.Daily = []contact.Daily{{From: "10:00", To: "11:00"}}
		}, "contacts: more than one"},
	} {
		settings := DefaultConfig()
		c.change(&settings)
		var got []string
		settings.problemsAt(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(field, message, hint string) {
			if hint == "" {
				t.Errorf("%s: %s has no hint", name, field)
			}
			got = append(got, field+": "+message)
		})
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheSettingsOfTheManualAreRead(t *testing.T) {
	text := `
window: 16
queue_delay: 500ms
budget: {bytes_per_day: 50_000_000, bytes_per_contact: 5_000_000, urgent_share: 0.2}
quotas:
  - {streams: "camera-*", share: 0.25}
  - {streams: gate, bytes_per_day: 1_000_000}
contacts:
  orbit:
    tle: |
      1 99999U 26001A   26060.00000000  .00000000  00000-0  00000-0 0    12
      2 99999  97.4000 130.0000 0010000  90.0000   0.0000 15.21900000    10
    max_age: 1000000h
    station: {latitude: 78.23, longitude: 15.41, altitude: 450}
    min_elevation: 10
    bytes_per_second: 125_000
`
	c := DefaultConfig()
	if err := config.Parse("edge.yaml", []byte(strings.ReplaceAll(text, "125_000", "125000")), &c, nil); err != nil {
		t.Fatal(err)
	}
	plan, err := contact.New(c.Contacts)
	if err != nil || plan == nil || c.Quotas[0].Share != 0.25 || c.Budget.UrgentShare != 0.2 || c.Contacts.Orbit.Station.Latitude != 78.23 {
		t.Errorf("%+v, %v", c, err)
	}
}
