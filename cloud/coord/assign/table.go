package assign

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"cloudcanvas/cloud/coord"
)

// Name is both the document and what its writer leads.
const Name = "assignments"

// Table is the document: which worker should own which partition of which topic.
type Table struct {
	Epoch  coord.Epoch               `json:"epoch"`  // of the leader that wrote it
	Topics map[string]map[int]string `json:"topics"` // topic → partition → worker
}

// Parse reads the document. No document is an empty table.
func Parse(b []byte) (Table, error) {
	var t Table
	if len(b) == 0 {
		return t, nil
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return Table{}, fmt.Errorf("reading the assignments: %w", err)
	}
	return t, nil
}

// Mine are the partitions of topic that worker should own, ascending.
func (t Table) Mine(topic, worker string) []int {
	var mine []int
	for p, id := range t.Topics[topic] {
		if id == worker {
			mine = append(mine, p)
		}
	}
	slices.Sort(mine)
	return mine
}

// Follow sends the partitions of topic that worker should own, at once and whenever they change,
// until ctx ends.
func Follow(ctx context.Context, c coord.Coordinator, topic, worker string) (<-chan []int, error) {
	tables, err := c.Document(Name).Watch(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan []int)
	go func() {
		defer close(out)
		var last []int
		for first := true; ; {
			select {
			case value, ok := <-tables:
				if !ok {
					return
				}
				table, err := Parse(value)
				mine := table.Mine(topic, worker)
				if err != nil || !first && slices.Equal(mine, last) {
					continue // the leader writes it anew when it can't be read
				}
				first, last = false, mine
				select {
				case out <- mine:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
