// Package coord is what the cloud's processes agree through: who is there, who leads, who owns
// what, and shared documents. coord/zk does it with ZooKeeper, coord/local within one process;
// both pass the suite in coord/coordtest.
package coord

import (
	"context"
	"time"
)

// Epoch is a fencing token: it grows with every change of owner, and travels with what the owner writes.
type Epoch int64

// Roles of members.
const (
	Worker = "worker"
	Bridge = "bridge"
	Mosaic = "mosaic"
)

// Member is one process that takes part.
type Member struct {
	ID          string             `json:"id"`
	Host        string             `json:"host"`
	Role        string             `json:"role"` // worker, bridge, mosaic
	Accelerator string             `json:"accelerator,omitempty"`
	MemoryBytes int64              `json:"memory_bytes,omitempty"`
	Rates       map[string]float64 `json:"rates,omitempty"`  // measured items/s per model
	Models      map[string]string  `json:"models,omitempty"` // version of each model that is loaded
}

// Coordinator is one process's view of the group. Leases end by themselves before anyone else can
// hold them. All methods wait through times without a connection until their ctx ends.
type Coordinator interface {
	// Join keeps m among the members until ctx ends, re-made for each session. It blocks.
	Join(ctx context.Context, m Member) error
	// Describe brings the description of a member that this coordinator keeps joined up to date.
	Describe(ctx context.Context, m Member) error
	// Members sends the members of a role whenever they change, by id, the first time at once. The
	// channel closes when ctx ends. Fast changes may be folded into one.
	Members(ctx context.Context, role string) (<-chan []Member, error)
	// Lead competes for leadership of what and calls lead while it holds it, again after each loss,
	// until ctx ends. lead's ctx ends when leadership can no longer be sure. When lead returns while
	// it still leads, leadership is given up and Lead returns lead's error.
	Lead(ctx context.Context, what string, lead func(context.Context, Epoch) error) error
	// Own waits until what is free, owns it and calls own once. own's ctx ends when ownership can no
	// longer be sure, with the cause ErrLost; its Err is set at once, even to a process that was
	// stopped for a while. Own returns own's error when own has returned and the lease is released;
	// after a loss that error too, or ErrLost where own returned none but that its ctx had ended.
	Own(ctx context.Context, what string, own func(context.Context, Lease) error) error
	// Document is a small shared value with versions. Its name may be a path: models/<name>.
	Document(name string) Document
	// Documents lists the names of the documents directly below a path, in order: of models, the
	// names of models.
	Documents(ctx context.Context, below string) ([]string, error)
	// Owners lists who owns what, by name of what.
	Owners(ctx context.Context) (map[string]Owner, error)
	// Close gives back all that is held.
	Close() error
}

// Lease is what an owner holds.
type Lease interface {
	Epoch() Epoch
	// Note records a few words beside the lease that the next owner and `status` can read (the
	// offset in hand). ErrLost when the lease is no longer held.
	Note(ctx context.Context, note string) error
	// Previous is the last note of the owner before, if any was left.
	Previous() string
}

// Owner is what others see of a lease.
type Owner struct {
	Member string    `json:"member"`
	Epoch  Epoch     `json:"epoch"`
	Since  time.Time `json:"since"`
	Note   string    `json:"note,omitempty"`
}

// Document is a small value with versions. Version 0 means that it does not exist yet.
type Document interface {
	Get(ctx context.Context) (value []byte, version int64, err error)
	// Put writes value if the document still has that version, and gives the new one. ErrChanged if not.
	Put(ctx context.Context, value []byte, version int64) (int64, error)
	// Watch sends the value at once (nil while there is none) and after each change. Fast changes
	// may be folded into one. The channel closes when ctx ends.
	Watch(ctx context.Context) (<-chan []byte, error)
}
