package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/carry"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/visible"
)

func importCommand() *urfave.Command {
	return &urfave.Command{Name: "import", ArgsUsage: "DIR",
		Usage: "take in what `canvas-edge buffer export` wrote: it goes to the MQTT broker as if the device had sent it, and counts once the bridge's receipt says that Kafka has it",
		Flags: []urfave.Flag{&urfave.DurationFlag{Name: "wait", Value: 30 * time.Second, Usage: "how long nothing new may be confirmed before the rest counts as not confirmed"}},
		Action: func(c *urfave.Context) error {
			if c.NArg() != 1 {
				return cli.Usagef("give the folder that was exported to")
			}
			if c.Duration("wait") <= 0 {
				return cli.Usagef("--wait %s is no time to wait", c.Duration("wait"))
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			folders, err := carry.Find(c.Args().First())
			if err != nil {
				return err
			}
			i := importer{say: c.App.Writer, complain: c.App.ErrWriter, wait: c.Duration("wait")}
			i.client, err = mqtt.Dial(c.Context, mqtt.Options{URL: cfg.MQTT.URL, ClientID: "canvas-import-" + operator(), Security: cfg.MQTT.AsImporter(),
				Log: slog.New(slog.DiscardHandler), OnDown: func(error) { i.ends.Add(1) }, OnRefused: func(string) { i.deaf.Store(true) }})
			if err != nil {
				return err
			}
			defer i.client.Close()
			for _, folder := range folders {
				if err := i.takeIn(c.Context, folder); err != nil {
					return fmt.Errorf("%w (mqtt.url %s: is the broker up, and does it let mqtt.import in?)", err, cfg.MQTT.URL)
				}
			}
			return i.outcome()
		}}
}

// importer takes exports in. Every item counts only once a receipt names it: a broker acknowledges
// what its access list denies, and throws it away.
type importer struct {
	client        *mqtt.Client
	say, complain io.Writer
	wait          time.Duration
	ends          atomic.Int64 // of connections
	deaf          atomic.Bool  // the broker refuses the receipts

	confirmed, silent, refused, damaged int
}

// ahead is how many items may be without a receipt before the next one is published.
const ahead = 256

// throws are the ended connections without any receipt after which a broker is taken to deny.
const throws = 3

// errSilent ends an export of which nothing more is confirmed.
var errSilent = errors.New("nothing more is confirmed")

// takeIn publishes one export and waits for its receipts.
func (i *importer) takeIn(ctx context.Context, folder string) error {
	index, err := carry.ReadIndex(folder)
	if errors.Is(err, carry.ErrDamaged) {
		visible.Fprintf(i.complain, "%v\n", err)
		i.damaged++
		return nil
	}
	if err != nil {
		return err
	}
	receipts := newReceived(index.Epoch)
	if err := i.listen(ctx, index.Edge, receipts); err != nil {
		return err
	}
	sound, err := i.publishAll(ctx, folder, index, receipts)
	if err == nil {
		err = i.await(ctx, receipts, 0)
	}
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	confirmed, refused := receipts.count()
	silent := sound - confirmed - refused
	visible.Fprintf(i.say, "%s, epoch %s: %d items are in Kafka", index.Edge, index.Epoch, confirmed)
	if silent > 0 {
		visible.Fprintf(i.say, ", %d are not confirmed", silent)
	}
	if refused > 0 {
		visible.Fprintf(i.say, ", %d are refused: Kafka has other items of this epoch under their numbers", refused)
	}
	fmt.Fprintln(i.say)
	i.confirmed, i.silent, i.refused = i.confirmed+confirmed, i.silent+silent, i.refused+refused
	return nil
}

// listen subscribes to the receipts of an edge, before anything is sent that they could be for.
func (i *importer) listen(ctx context.Context, edge string, receipts *received) error {
	stands := make(chan struct{}, 1)
	i.client.SubscribeThen(event.ReceiptsTopic(edge), 1, receipts.take, func() {
		select {
		case stands <- struct{}{}:
		default:
		}
	})
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stands:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("subscribe to the receipts of %s: %w", edge, mqtt.ErrOffline)
		case <-tick.C:
			if i.deaf.Load() {
				return nil // nothing will be confirmed, which is said at the end
			}
		}
	}
}

// publishAll publishes an export's items, as far as receipts keep up, and says how many of them are
// sound. After errSilent the rest is only looked at.
func (i *importer) publishAll(ctx context.Context, folder string, index carry.Index, receipts *received) (sound int, failed error) {
	for _, entry := range index.Items {
		messages, err := index.Messages(folder, entry)
		if err != nil {
			i.damaged++
			visible.Fprintf(i.complain, "item %d of %s is left out: %v\n", entry.Seq, index.Edge, err)
			continue
		}
		sound++
		if failed != nil {
			continue
		}
		receipts.expect(entry.Seq)
		for _, m := range messages {
			if err := i.publish(ctx, receipts, m); err != nil {
				failed = fmt.Errorf("publish item %d of %s: %w", entry.Seq, index.Edge, err)
				break
			}
		}
		if failed == nil {
			failed = i.await(ctx, receipts, ahead)
		}
		if failed != nil && !errors.Is(failed, errSilent) {
			return sound, failed
		}
	}
	return sound, failed
}

// await waits until no more than most items are without a receipt.
func (i *importer) await(ctx context.Context, receipts *received, most int) error {
	quiet := time.NewTimer(i.wait)
	defer quiet.Stop()
	for receipts.open() > most {
		if i.deaf.Load() {
			return errSilent
		}
		select {
		case <-receipts.news:
			quiet.Reset(i.wait)
		case <-quiet.C:
			return errSilent
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// publish gives the connection some time to come, or to come back.
func (i *importer) publish(ctx context.Context, receipts *received, m carry.Message) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := i.client.Publish(ctx, m.Topic, 1, false, m.Payload)
		if err == nil {
			return nil
		}
		if n, _ := receipts.count(); n == 0 && i.ends.Load() >= throws {
			return errSilent // mosquitto ends the connection at each message that it denies
		}
		select {
		case <-ctx.Done():
			if i.ends.Load() > 0 {
				return errSilent
			}
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// outcome is an error unless all is in Kafka: what is not there must not be taken for carried.
func (i *importer) outcome() error {
	switch {
	case i.silent > 0 && i.confirmed == 0:
		return cli.Incompletef("%d items are not confirmed, and none is. The broker acknowledges also what its access list denies and throws away: may this identity (mqtt.import) write canvas/v1/+/up/# "+
			"and read canvas/v1/+/down/receipts, as firmware-configs/mosquitto/canvas-services.acl lets canvas-import? Else the bridge is down, or Kafka is. Keep the export and import it again", i.silent)
	case i.silent > 0:
		return cli.Incompletef("%d items are not confirmed: the bridge or Kafka is slow or away, or the broker's access list denies some of them. Keep the export and import it again; what is there already counts once", i.silent)
	case i.refused > 0:
		return cli.Incompletef("%d items are refused: the device sends them itself in a new epoch; where it is lost, keep the export", i.refused)
	case i.damaged > 0:
		return cli.Incompletef("%d items are damaged: export them again", i.damaged)
	}
	return nil
}
