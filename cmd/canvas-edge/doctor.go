package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/pictures/album"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/security"
)

func doctorCommand() *urfave.Command {
	return &urfave.Command{Name: "doctor", Usage: "check this device: what works, which engine really runs, and how to fix the rest",
		Flags:  []urfave.Flag{cli.JSONFlag, &urfave.StringSliceFlag{Name: "models", Usage: "a model repository or a folder of .onnx files; `DIR`"}},
		Action: doctor}
}

func doctor(c *urfave.Context) error {
	var all []checkup.Finding
	cfg, err := loadConfig(c)
	configured := err == nil
	if cli.ConfigFile(c) != "" || configured {
		all = append(all, checkup.Of("configuration", err, "good", "canvas-edge check    # tells every mistake"))
	}
	all = append(all, checkup.Clock())
	all = append(all, lookAtDecoder(c.Context)...)
	all = append(all, lookAtPictures(c.Context)...)
	if configured {
		all = append(all, lookAtDevice(c.Context, cfg)...)
	}
	return checkup.Tell(c.App.Writer, append(all, lookAtModels(c)...), c.Bool("json"))
}

// lookAtDecoder looks for the programs that read video, and reads one with them.
func lookAtDecoder(ctx context.Context) (all []checkup.Finding) {
	there := true
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		path, err := exec.LookPath(program)
		there = there && err == nil
		all = append(all, checkup.Of(program, err, path, "sudo apt-get install ffmpeg    # video needs it"))
	}
	if there {
		said, err := capture.TryDecoder(ctx, capture.CameraConfig{})
		all = append(all, checkup.Of("video", err, said, "ffmpeg -version    # releases 4.4 to 9 are known to work: sudo apt-get install --reinstall ffmpeg"))
	}
	return all
}

// lookAtPictures reads a picture of each kind that takes decoders which a machine may lack.
func lookAtPictures(ctx context.Context) (all []checkup.Finding) {
	for kind, plugin := range map[string]string{pictures.HEIC: "libheif-plugin-libde265", pictures.AVIF: "libheif-plugin-dav1d"} {
		if err := album.Try(ctx, kind); err != nil {
			all = append(all, checkup.Doubtful(kind+"s", err.Error(), "sudo apt-get install "+plugin+"    # where libheif1 does not have it in itself"))
			continue
		}
		all = append(all, checkup.Good(kind+"s", "can be read"))
	}
	slices.SortFunc(all, func(a, b checkup.Finding) int { return strings.Compare(a.What, b.What) })
	return all
}

// lookAtDevice looks at what the configuration names.
func lookAtDevice(ctx context.Context, cfg edge.Config) []checkup.Finding {
	all := []checkup.Finding{checkup.Folder("data folder", cfg.Data), checkup.Disk(cfg.Data), checkup.Broker(ctx, "cloud", cfg.Cloud.URL, cfg.Cloud.Security), lookAtIdentity(cfg), lookAtTrust(cfg)}
	if cfg.Cloud.Security.Cert != "" {
		all = append(all, lookAtLifetime(cfg))
	}
	if note := plain(cfg); note != "" {
		all = append(all, checkup.Doubtful("encryption", note, "set cloud.url to tls://HOST:8883"))
	}
	if r, err := outbox.OpenReader(cfg.OutboxFolder(), cfg.Edge); err == nil {
		for _, t := range r.Troubles {
			all = append(all, checkup.Doubtful("buffer: "+t.Kind, t.Text, "canvas-edge buffer seen    # when that is settled"))
		}
		r.Close()
	}
	switch {
	case cfg.Local.URL != "":
		f := checkup.Broker(ctx, "local broker", cfg.Local.URL, cfg.Local.Security)
		if f.State == checkup.Fail {
			f.Fix = "sudo systemctl start mosquitto    # or set local.embedded"
		}
		all = append(all, f)
	case cfg.Local.Embedded != "":
		all = append(all, checkup.Good("local broker", "embedded: it keeps no sessions over a restart; readings are acknowledged once they are in the buffer, pictures when they come"))
	case cfg.Frames.Enabled || cfg.Sensors.Enabled:
		all = append(all, checkup.Doubtful("local broker", "frames or sensors are wanted, and there is no broker they could come over", "set local.embedded: 127.0.0.1:1883, or local.url"))
	}
	for _, camera := range cfg.Cameras {
		all = append(all, lookAtCamera(ctx, camera.CameraConfig))
	}
	for _, s := range cfg.Echoes {
		if s.Path != "" {
			all = append(all, lookAtEchoes(s))
		}
	}
	if s := cfg.Cloud.Security; s.PasswordFile != "" {
		all = append(all, lookAtPassword(s))
	}
	return all
}

func lookAtPassword(s security.Security) checkup.Finding {
	_, err := s.Password()
	return checkup.Of("password "+s.PasswordFile, err, "can be read, by this user only", "sudo chown \"$USER\" "+s.PasswordFile+" && chmod 0600 "+s.PasswordFile)
}

// lookAtEchoes reads the parameters of an acquisition, as the service does first.
func lookAtEchoes(s edge.EchoesSource) checkup.Finding {
	echoes, err := sar.Open(s.Path)
	said := ""
	if err == nil {
		said = fmt.Sprintf("%d lines of %d samples", echoes.Params.Lines, echoes.Params.Samples)
		echoes.Close()
	}
	return checkup.Of("echoes "+s.ID(), err, said, "correct "+s.Path+", or the file that it names")
}

// lookAtCamera asks a camera for its pictures' size, as the service does before it decodes.
func lookAtCamera(ctx context.Context, c capture.CameraConfig) checkup.Finding {
	what := "camera " + c.Name
	v, err := capture.NewVideo(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return checkup.Bad(what, err, "correct its address in the configuration")
	}
	said, err := v.Describe(ctx)
	return checkup.Of(what, err, said, "ffprobe -v error -rtsp_transport tcp ADDRESS    # power, cable, address, user and password of the camera")
}

func lookAtModels(c *urfave.Context) []checkup.Finding {
	models, folders, err := openModels(c)
	if err != nil {
		return []checkup.Finding{checkup.Bad("models", err, "make setup    # or name a folder with --models")}
	}
	what := fmt.Sprintf("models in %v", folders)
	all := []checkup.Finding{checkup.Good(what, fmt.Sprintf("%d", len(models.List())))}
	for _, p := range models.Problems() {
		all = append(all, checkup.Doubtful(what, "skipped: "+p.Error(), "canvas-edge models ls    # pull it again, or correct its manifest"))
	}
	for _, m := range models.List() {
		all = append(all, tryModel(c.Context, m, trialLayout(c)))
	}
	return all
}

// tryModel compares a model's file with its manifest, and opens it as the service would, which runs its
// golden case and says which engine runs it.
func tryModel(ctx context.Context, m model.Model, l infer.Layout) checkup.Finding {
	what := "model " + m.Name + " " + m.Version
	if err := m.Verify(); err != nil {
		return checkup.Bad(what, err, "canvas-edge models pull --models DIR "+m.Name)
	}
	net, report, err := infer.Open(ctx, m, infer.Auto, l, slog.New(slog.DiscardHandler))
	if err != nil {
		f := checkup.Bad(what, err, "canvas-edge models verify "+m.Name)
		f.Engines = report.Trials
		return f
	}
	net.Close()
	f := checkup.Good(what, fmt.Sprintf("runs in %s on %s, %.1f ms an image, golden case: %s", report.Engine, report.Device, report.Ms, report.Golden))
	f.Engines = report.Trials
	return f
}
