package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"cloudcanvas/shared/event"
)

// The cloud knows an item by its epoch and its number in it; the buffer knows it by a number of its
// own, which counts on for as long as there is a database. Every start of the agent begins a new
// epoch for what it commits from then on, so that no number is ever used twice, whatever was done to
// the disk between two starts. What waits keeps the epoch and the number that it was committed under.
// docs/decisions/0007-an-epoch-a-start.md argues it.

// term is the part of the buffer's own numbers that belongs to one epoch: from first to the one
// before the next term's first.
type term struct {
	epoch   event.Epoch
	first   uint64
	waiting int64
}

// epochsKept are compared with what the cloud has, also when nothing of them waits.
const epochsKept = event.MaxEpochs

// terms are in the order of their numbers; the last is the current one. There is always one.
type terms []term

// at is the index of the term that a number belongs to; -1 for one that is older than all of them.
func (t terms) at(seq uint64) int {
	n, found := slices.BinarySearchFunc(t, seq, func(t term, seq uint64) int { return cmp.Compare(t.first, seq) })
	if found {
		return n
	}
	return n - 1
}

// place is the epoch and number under which the cloud knows an item; "" and 0 where nobody knows any more.
func (t terms) place(seq uint64) (event.Epoch, uint64) {
	n := t.at(seq)
	if n < 0 {
		return "", 0
	}
	return t[n].epoch, seq - t[n].first + 1
}

// find is the index of an epoch's term; -1 where it is none of ours.
func (t terms) find(epoch event.Epoch) int {
	return slices.IndexFunc(t, func(t term) bool { return t.epoch == epoch })
}

// last is the last number of a term's, of so many that are committed in all.
func (t terms) last(n int, committed uint64) uint64 {
	if n+1 < len(t) {
		return t[n+1].first - 1
	}
	return committed
}

// number is the buffer's own number of an item of a term's; false where there is none.
func (t terms) number(n int, seq, committed uint64) (uint64, bool) {
	if seq == 0 || seq > t.last(n, committed)-(t[n].first-1) {
		return 0, false
	}
	return t[n].first - 1 + seq, true
}

// begin is t with a new term after it. One in which nothing was committed leaves no trace.
func (t terms) begin(epoch event.Epoch, committed uint64) terms {
	for len(t) > 0 && t[len(t)-1].first > committed {
		t = t[:len(t)-1]
	}
	return append(slices.Clone(t), term{epoch: epoch, first: committed + 1})
}

// Epoch is the one in which is committed now. It changes with every start of the agent, and while it
// runs where the cloud has other items under its numbers.
func (o *Outbox) Epoch() event.Epoch {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.terms[len(o.terms)-1].epoch
}

// DatabaseID names this database, from its making to its end.
func (o *Outbox) DatabaseID() event.Epoch { return o.id }

// Knows says whether an epoch is one of this buffer's.
func (o *Outbox) Knows(epoch event.Epoch) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.terms.find(epoch) >= 0
}

// Place is the epoch and number under which the cloud knows the item with that number of the buffer's own.
func (o *Outbox) Place(seq uint64) (event.Epoch, uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.terms.place(seq)
}

// Number is the buffer's own number of an item that the cloud knows by its epoch and number in it; 0
// where it is none of this buffer's.
func (o *Outbox) Number(epoch event.Epoch, seq uint64) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.terms.find(epoch)
	if n < 0 {
		return 0
	}
	own, _ := o.terms.number(n, seq, o.stats.Committed)
	return own
}

// Receipts counts those for epochs that are not this buffer's, and those that could not be true of it.
func (o *Outbox) Receipts() (foreign, refused uint64) { return o.foreign.Load(), o.refused.Load() }

// Epochs are those that still matter, the current one first: as the status lists them.
func (o *Outbox) Epochs() []event.EpochReport {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []event.EpochReport
	add := func(n int) {
		t := o.terms[n]
		all = append(all, event.EpochReport{Epoch: t.epoch, Through: o.terms.last(n, o.stats.Committed) - (t.first - 1), Waiting: uint64(max(t.waiting, 0))})
	}
	current := len(o.terms) - 1
	add(current)
	for n := 0; n < current && len(all) < event.MaxEpochs-1; n++ { // what has waited longest must not be left out
		if o.terms[n].waiting > 0 || o.unresolved(o.terms[n].epoch) {
			add(n)
		}
	}
	for n := current - 1; n >= 0 && len(all) < event.MaxEpochs; n-- {
		if !slices.ContainsFunc(all, func(e event.EpochReport) bool { return e.Epoch == o.terms[n].epoch }) {
			add(n)
		}
	}
	return all
}

// loadEpochs reads the terms and begins a new one, which is written down with the first item of it:
// a start needs no room on the disk.
func (o *Outbox) loadEpochs() error {
	all, err := readTerms(o.db)
	o.terms = all.begin(event.NewEpoch(), o.stats.Committed)
	return err
}

func readTerms(db *sql.DB) (all terms, err error) {
	rows, err := db.Query("SELECT epoch, first, waiting FROM epochs ORDER BY first")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t term
		if err := rows.Scan(&t.epoch, &t.first, &t.waiting); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// terms are those that hold in this transaction.
func (s *step) terms() terms {
	if s.p.terms != nil {
		return s.p.terms
	}
	return s.o.terms
}

// current is the term in which is committed. It is written down when first it is used.
func (s *step) current() (term, error) {
	t := s.terms()[len(s.terms())-1]
	if s.p.begun || s.o.begun && s.p.terms == nil {
		return t, nil
	}
	if err := s.exec("INSERT OR REPLACE INTO epochs VALUES (?,?,0)", t.first, string(t.epoch)); err != nil {
		return t, fmt.Errorf("begin epoch %s: %w", t.epoch, err)
	}
	s.p.begun = true
	return t, nil
}

// countEpoch counts an item of an epoch that comes to wait, or ceases to.
func (s *step) countEpoch(seq uint64, items int64) {
	if n := s.terms().at(seq); n >= 0 {
		s.p.epochs[s.terms()[n].first] += items
	}
}

// beginEpoch begins another epoch, for what is committed from here on.
func (s *step) beginEpoch() {
	s.p.terms, s.p.begun = s.terms().begin(event.NewEpoch(), s.p.stats.Committed), false
}

// prune forgets the oldest epochs, as far as nothing of them waits and nothing remains to be reported.
func (s *step) prune() error {
	t := s.o.terms
	for n := 0; n < len(t)-epochsKept; n++ {
		if t[n].waiting != 0 || s.o.unresolved(t[n].epoch) {
			return nil // later ones stay as well: an epoch ends where the next begins
		}
		var dropped bool
		err := s.conn.QueryRowContext(context.Background(), "SELECT EXISTS (SELECT 1 FROM ledger WHERE seq BETWEEN ? AND ?)", t[n].first, t[n+1].first-1).Scan(&dropped)
		if err != nil || dropped {
			return err
		}
		if err := s.exec("DELETE FROM epochs WHERE first=?", t[n].first); err != nil {
			return err
		}
		s.p.pruned++
	}
	return nil
}

// applyEpochs brings the terms up to what is durable. The caller holds mu.
func (o *Outbox) applyEpochs(p pending) {
	if p.terms != nil {
		o.terms, o.begun = p.terms, false
	}
	o.begun = o.begun || p.begun
	for first, more := range p.epochs {
		if n := o.terms.at(first); n >= 0 {
			o.terms[n].waiting += more
		}
	}
	o.terms = o.terms[p.pruned:]
}
