package uplink

import (
	"fmt"
	"path"
	"slices"
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
)

// Config is how the link is used. docs/uplink.md explains it.
type Config struct {
	Window         int                  `yaml:"window" desc:"messages in flight; stay below the broker's own limit" range:"1..1024"`
	PartBytes      int                  `yaml:"part_bytes" desc:"larger items travel in parts of so many bytes; parts are smaller on a thin link, or for a broker that takes no larger packets" range:"1KiB..512KiB"`
	ReceiptTimeout time.Duration        `yaml:"receipt_timeout" desc:"an item without a receipt goes again after this time" range:"1s.."`
	Receipts       string               `yaml:"receipts" desc:"who says that an item has arrived: the bridge, or a plain broker" enum:"bridge, puback"`
	BytesPerSecond float64              `yaml:"bytes_per_second" desc:"bytes a second at most; 0: as the link gives them" range:"0.."`
	QueueDelay     time.Duration        `yaml:"queue_delay" desc:"delay that may build up on the link" range:"10ms..1m"`
	OldestShare    float64              `yaml:"oldest_share" desc:"share of the bytes for what has waited longest, above 0 up to 1"`
	Budget         schedule.Budget      `yaml:"budget" desc:"bounds of all that is sent, repetitions included"`
	Quotas         []schedule.Quota     `yaml:"quotas" desc:"bounds of what some streams take together; urgent items are counted and not held back"`
	Order          []schedule.OrderRule `yaml:"order" desc:"the order of a stream's items; the first rule that fits holds" default:"readings, tracks and results oldest; frames and crops newest; others by value"`
	Contacts       contact.Config       `yaml:"contacts" desc:"when the link may be used: one of list, daily and orbit" default:"whenever it is there"`
	ReportEvery    time.Duration        `yaml:"report_every" desc:"how often the cloud is told what waits and what goes next, where that has changed; 0: never" range:"0 or 10s.."`
}

// Ways to learn that an item has arrived.
const (
	ReceiptsBridge = "bridge"
	ReceiptsPUBACK = "puback"
)

// DefaultConfig uses whatever link there is, whenever it is there.
func DefaultConfig() Config {
	return Config{Window: 32, PartBytes: 128 << 10, ReceiptTimeout: 30 * time.Second, Receipts: ReceiptsBridge,
		QueueDelay: 250 * time.Millisecond, OldestShare: 0.05, Budget: schedule.Budget{UrgentShare: 0.1}, Contacts: contact.DefaultConfig(), ReportEvery: 5 * time.Minute}
}

func (c Config) rules() schedule.Rules {
	return schedule.Rules{PartBytes: c.PartBytes, ReceiptTimeout: c.ReceiptTimeout, OldestShare: c.OldestShare, Budget: c.Budget, Quotas: c.Quotas, Order: c.Order}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) { c.problemsAt(time.Now(), add) }

func (c Config) problemsAt(now time.Time, add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	if !(c.OldestShare > 0 && c.OldestShare <= 1) {
		add("oldest_share", fmt.Sprintf("%g is not above 0 and up to 1", c.OldestShare), "0.05 gives a byte in twenty to what has waited longest; without any, items could wait for ever")
	}
	c.budgetProblems(add)
	c.quotaProblems(add)
	c.orderProblems(add)
	c.Contacts.Problems(now, func(field, message, hint string) {
		if field != "" {
			field = "." + field
		}
		add("contacts"+field, message, hint)
	})
}

func (c Config) windows() bool {
	return len(c.Contacts.List) > 0 || len(c.Contacts.Daily) > 0 || len(c.Contacts.Orbit.TLE) > 0 || c.Contacts.Orbit.TLEFile != ""
}

// largest is what the largest message takes of a budget.
func (c Config) largest() int64 { return int64(c.PartBytes) + schedule.Overhead }

func (c Config) bytesProblem(field string, bytes int64, add func(field, message, hint string)) {
	switch {
	case bytes < 0:
		add(field, "is negative", "0 sets no bound")
	case bytes > 0 && bytes < c.largest():
		add(field, fmt.Sprintf("%d is less than one part with its envelope, %d: larger items would never go", bytes, c.largest()), "raise it, or lower uplink.part_bytes")
	}
}

func (c Config) contactProblem(field string, bytes int64, add func(field, message, hint string)) {
	if c.bytesProblem(field, bytes, add); bytes > 0 && !c.windows() {
		add(field, "needs contact windows", "say when they are in uplink.contacts, or bound the bytes of a day")
	}
}

func (c Config) budgetProblems(add func(field, message, hint string)) {
	c.bytesProblem("budget.bytes_per_day", c.Budget.BytesPerDay, add)
	c.contactProblem("budget.bytes_per_contact", c.Budget.BytesPerContact, add)
	if !(c.Budget.UrgentShare >= 0 && c.Budget.UrgentShare < 1) {
		add("budget.urgent_share", fmt.Sprintf("%g is not at least 0 and below 1", c.Budget.UrgentShare), "0.1 keeps a tenth for alerts")
	}
}

func (c Config) quotaProblems(add func(field, message, hint string)) {
	shares, taken := 0.0, map[string]bool{}
	for i, q := range c.Quotas {
		at := fmt.Sprintf("quotas.%d", i)
		if _, err := path.Match(q.Streams, ""); err != nil || q.Streams == "" {
			add(at+".streams", fmt.Sprintf("%q is no pattern for streams", q.Streams), "a stream's name, or camera-*")
		} else if taken[q.Streams] {
			add(at+".streams", fmt.Sprintf("%q stands twice", q.Streams), "the first one that matches a stream holds: keep one")
		}
		taken[q.Streams] = true
		if !(q.Share >= 0 && q.Share <= 1) {
			add(at+".share", fmt.Sprintf("%g is not between 0 and 1", q.Share), "0.25 is a quarter; 0 sets no bound")
		}
		shares += max(q.Share, 0)
		c.bytesProblem(at+".bytes_per_day", q.BytesPerDay, add)
		c.contactProblem(at+".bytes_per_contact", q.BytesPerContact, add)
		if q.Share == 0 && q.BytesPerDay == 0 && q.BytesPerContact == 0 {
			add(at, "bounds nothing", "give share, bytes_per_day or bytes_per_contact")
		}
		if day := c.Budget.BytesPerDay; day > 0 && q.BytesPerDay > day {
			add(at+".bytes_per_day", "is more than the whole budget of a day", "lower it, or raise uplink.budget.bytes_per_day")
		}
	}
	if shares > 1 {
		add("quotas", fmt.Sprintf("the shares add up to %.2f", shares), "together they can be 1 at most")
	}
}

// sentKinds are those that a device sends.
var sentKinds = []event.Kind{event.Alert, event.Track, event.Reading, event.Scene, event.Tile, event.Crop, event.Frame, event.Ack, event.Answer, event.Result}

func (c Config) orderProblems(add func(field, message, hint string)) {
	for i, o := range c.Order {
		at := fmt.Sprintf("order.%d", i)
		if _, err := path.Match(o.Streams, ""); err != nil || o.Streams == "" {
			add(at+".streams", fmt.Sprintf("%q is no pattern for streams", o.Streams), "a stream's name, or camera-*; * is all")
		}
		switch o.Order {
		case schedule.OldestFirst, schedule.NewestFirst, schedule.ByValue:
		default:
			add(at+".order", fmt.Sprintf("%q is no order", o.Order), "oldest, newest, or value (per byte)")
		}
		for n, k := range o.Kinds {
			if !slices.Contains(sentKinds, k) {
				add(fmt.Sprintf("%s.kinds.%d", at, n), fmt.Sprintf("%q is no kind of item", k), "reading, track, result, frame, crop, tile, scene or alert")
			}
		}
	}
}
