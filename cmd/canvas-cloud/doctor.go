package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/security"
)

func doctorCommand() *urfave.Command {
	return &urfave.Command{Name: "doctor", Usage: "check this machine and the services that the cloud needs: what works, and how to fix the rest", Flags: []urfave.Flag{cli.JSONFlag},
		Action: func(c *urfave.Context) error {
			cfg, err := loadConfig(c)
			all := []checkup.Finding{checkup.Of("configuration", err, "good", "correct what is named in the file"), checkup.Clock()}
			if err == nil {
				all = append(all, lookAtServices(c.Context, cfg)...)
				all = append(all, lookAtCertificates(cfg, time.Now())...)
				all = append(all, lookAtFolders(c.Context, cfg)...)
				all = append(all, lookAtModels(c.Context, cfg)...)
			}
			return checkup.Tell(c.App.Writer, all, c.Bool("json"))
		}}
}

// lookAtCertificates says how the services' own certificates stand.
func lookAtCertificates(cfg cloud.Config, now time.Time) (all []checkup.Finding) {
	seen := map[string]bool{"": true}
	for _, file := range []string{cfg.MQTT.Security.Cert, cfg.MQTT.Import.Cert, cfg.Kafka.Security.Cert, cfg.ZooKeeper.Security.Cert} {
		if !seen[file] {
			seen[file] = true
			all = append(all, checkup.Certificate("certificate "+file, file, now, "canvas-cloud ca renew NAME    # then put the new file in place"))
		}
	}
	return all
}

// lookAtServices asks Kafka and ZooKeeper as status does, and the broker whether it answers.
func lookAtServices(ctx context.Context, cfg cloud.Config) []checkup.Finding {
	all := []checkup.Finding{checkup.Broker(ctx, "MQTT broker", cfg.MQTT.URL, cfg.MQTT.Security), lookAtSigning(cfg), lookAtKafka(ctx, cfg)}
	servers := strings.Join(cfg.ZooKeeper.Servers, ",")
	zookeeper, workers := "ZooKeeper "+servers, 0
	err := withCoordinator(ctx, cfg, func(ctx context.Context, z coord.Coordinator) error {
		members, err := z.Members(ctx, coord.Worker)
		if err != nil {
			return err
		}
		select {
		case now := <-members:
			workers = len(now)
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	})
	switch {
	case err != nil:
		all = append(all, checkup.Bad(zookeeper, err, "systemctl status zookeeper    # or correct zookeeper.servers"))
	case workers == 0:
		all = append(all, checkup.Doubtful(zookeeper, "answers; no worker runs, so work waits", "canvas-cloud worker"))
	default:
		all = append(all, checkup.Good(zookeeper, fmt.Sprintf("answers; %d workers", workers)))
	}
	return all
}

// lookAtSigning looks at the key that bridges sign with.
func lookAtSigning(cfg cloud.Config) checkup.Finding {
	const what = "signing"
	signer, err := cfg.Signing.Signer()
	switch {
	case err != nil:
		return checkup.Bad(what, err, "sudo chown canvas "+cfg.Signing.KeyFile+" && chmod 0600 "+cfg.Signing.KeyFile+"    # or canvas-cloud keys new --out DIR")
	case signer != nil:
		return checkup.Good(what, "messages to devices are signed with key "+signer.ID().String())
	case checkup.Loopback(cfg.MQTT.URL):
		return checkup.Good(what, "messages to devices are not signed; the broker is on this machine")
	}
	return checkup.Doubtful(what, "messages to devices are not signed: whoever may publish at the broker can have devices free what was never received", "canvas-cloud keys new --out DIR, and set signing.key_file    # docs/operations.md: signed messages")
}

func lookAtKafka(ctx context.Context, cfg cloud.Config) checkup.Finding {
	what := fmt.Sprintf("Kafka %v", cfg.Kafka.Brokers)
	k, err := dialKafka(cfg)
	if err != nil {
		return checkup.Bad(what, err, "ls -l the files that kafka.security names")
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var dead int64
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.ProductsTopic, event.DLQTopic} {
		ranges, err := k.Offsets(ctx, topic)
		if err == nil && len(ranges) == 0 {
			err = fmt.Errorf("topic %s is missing", topic)
		}
		if err != nil {
			return checkup.Bad(what, err, "systemctl status kafka    # or correct kafka.brokers; canvas-cloud bridge makes the topics")
		}
		for _, r := range ranges {
			if topic == event.DLQTopic {
				dead += r.End - r.First
			}
		}
	}
	if dead > 0 {
		return checkup.Doubtful(what, fmt.Sprintf("answers, has all topics; %d dead letters wait", dead), "canvas-cloud dlq ls    # then dlq replay or dlq discard")
	}
	return checkup.Good(what, "answers, has all topics")
}

// lookAtFolders looks at where the cloud keeps files, and at the object store.
func lookAtFolders(ctx context.Context, cfg cloud.Config) []checkup.Finding {
	all := []checkup.Finding{checkup.Folder("products folder", cfg.Products), checkup.Disk(cfg.Products), checkup.Folder("console folder", cfg.Console.Data)}
	what := "object store " + security.Redact(cfg.Store)
	if u, err := url.Parse(cfg.Store); err == nil {
		if u.Scheme == "file" {
			return append(all, checkup.Folder("object store", u.Path), checkup.Disk(u.Path))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	objects, err := store.Open(ctx, cfg.Store)
	if err == nil {
		_, err = objects.Keys(ctx, "models/")
		err = errors.Join(err, objects.Close())
	}
	return append(all, checkup.Of(what, err, "answers", "correct store, or the rights of the account it is opened with"))
}

// lookAtModels compares the models that workers here would run with their manifests, and tries those that
// the project does not know.
func lookAtModels(ctx context.Context, cfg cloud.Config) []checkup.Finding {
	folders := cfg.ModelFolders(cli.Home())
	what := fmt.Sprintf("models in %v", folders)
	models, err := model.Open(folders...)
	if err != nil {
		return []checkup.Finding{checkup.Doubtful(what, err.Error(), "make setup    # or set models.folders; only workers need them")}
	}
	all := []checkup.Finding{checkup.Good(what, fmt.Sprintf("%d", len(models.List())))}
	for _, p := range models.Problems() {
		all = append(all, checkup.Doubtful(what, "skipped: "+p.Error(), "pull it again, or correct its manifest"))
	}
	for _, m := range models.List() {
		if err := m.Verify(); err != nil {
			all = append(all, checkup.Bad("model "+m.Name+" "+m.Version, err, "pull it again, or correct its manifest"))
		} else if err := infer.Try(ctx, m, infer.Layout{Sessions: 1, Trials: infer.DefaultMemory()}); err != nil {
			all = append(all, checkup.Bad("model "+m.Name+" "+m.Version, err, "take it out of the folder, or export it again"))
		}
	}
	return all
}
