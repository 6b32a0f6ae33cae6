package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"cloudcanvas/shared/event"
)

// Reasons in the ledger.
const (
	ReasonQuota   = "quota"
	ReasonExpired = "expired"
)

// makeRoom drops what is worth least per byte, the oldest first among equals, until the draft fits;
// what is urgent goes only when nothing else is left.
func (o *Outbox) makeRoom(tx *sql.Tx, p *pending, bytes int) error {
	var gone int64
	o.mu.Lock()
	need := o.stats.Bytes + int64(bytes) - o.config.QuotaBytes
	rows := int64(o.stats.Waiting) + int64(len(p.added)) - int64(len(p.dropped)) + 1 - o.config.QuotaRows
	o.mu.Unlock()
	for _, r := range p.added {
		need += int64(r.Bytes)
	}
	for _, r := range p.dropped {
		need -= int64(r.Bytes)
	}
	for gone < need || rows > 0 {
		var r event.Ref
		err := tx.QueryRow(`SELECT seq, priority, value, bytes FROM items WHERE kind<>?
			ORDER BY priority=0, priority DESC, value/(bytes+1), seq LIMIT 1`, string(event.Ack)).Scan(&r.Seq, &r.Priority, &r.Value, &r.Bytes)
		if err != nil {
			return fmt.Errorf("make room in the outbox: %w", err)
		}
		if err := o.drop(tx, r.Seq, ReasonQuota); err != nil {
			return err
		}
		p.dropped = append(p.dropped, r)
		gone += int64(r.Bytes)
		rows--
	}
	return nil
}

// drop moves an item into the ledger.
func (o *Outbox) drop(tx *sql.Tx, seq uint64, reason string) error {
	_, err := tx.Exec(`INSERT INTO ledger (seq, kind, stream, bytes, reason, at)
		SELECT seq, kind, stream, bytes, ?, ? FROM items WHERE seq=?`, reason, o.now().UnixNano(), seq)
	if err == nil {
		err = remove(tx, seq)
	}
	if err != nil {
		return fmt.Errorf("drop item %d: %w", seq, err)
	}
	return nil
}

// Expire drops what waits beyond its time, and says how much that was.
func (o *Outbox) Expire(ctx context.Context) (int, error) {
	var p pending
	err := o.change(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT seq, bytes FROM items WHERE expires>0 AND expires<? LIMIT ?", o.now().UnixNano(), deletesAtOnce)
		if err != nil {
			return err
		}
		for rows.Next() {
			var r event.Ref
			if err := rows.Scan(&r.Seq, &r.Bytes); err != nil {
				rows.Close()
				return err
			}
			p.dropped = append(p.dropped, r)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, r := range p.dropped {
			if err := o.drop(tx, r.Seq, ReasonExpired); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("drop what has expired: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range p.dropped {
		if o.forget(r.Seq) {
			o.stats.Dropped++
		}
	}
	return len(p.dropped), nil
}

// reportsAtOnce bounds one report of drops.
const reportsAtOnce = 1000

// Report commits an item that tells the cloud of drops not yet reported, so that it does not wait
// for their numbers. It says how many it told.
func (o *Outbox) Report(ctx context.Context) (int, error) {
	drops, err := o.unreported()
	if err != nil || len(drops) == 0 {
		return 0, err
	}
	data, err := json.Marshal(event.DropReport{Drops: drops})
	if err != nil {
		return 0, err
	}
	// The report is keyed by its first number: told twice, it is committed once.
	_, err = o.Commit(ctx, Draft{Kind: event.Ack, Stream: "outbox", Subject: "drops", Priority: event.High, Value: 1,
		Type: "application/json", Data: data, Key: fmt.Sprintf("drops/%d-%d", drops[0].Seq, len(drops))})
	if err != nil {
		return 0, fmt.Errorf("report drops: %w", err)
	}
	err = o.change(ctx, func(tx *sql.Tx) error {
		for _, d := range drops {
			if _, err := tx.Exec("UPDATE ledger SET reported=1 WHERE seq=?", d.Seq); err != nil {
				return err
			}
		}
		return nil
	})
	return len(drops), err
}

func (o *Outbox) unreported() ([]event.Drop, error) {
	rows, err := o.db.Query("SELECT seq, kind, stream, bytes, reason FROM ledger WHERE reported=0 ORDER BY seq LIMIT ?", reportsAtOnce)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	var drops []event.Drop
	for rows.Next() {
		var d event.Drop
		if err := rows.Scan(&d.Seq, &d.Kind, &d.Stream, &d.Bytes, &d.Reason); err != nil {
			return nil, err
		}
		drops = append(drops, d)
	}
	return drops, rows.Err()
}
