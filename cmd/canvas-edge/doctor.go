package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os/exec"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

// finding is one thing that doctor looked at.
type finding struct {
	What    string        `json:"what"`
	Good    bool          `json:"good"`
	Detail  string        `json:"detail"`
	Fix     string        `json:"fix,omitempty"`
	Engines []infer.Trial `json:"engines,omitempty"`
}

func doctorCommand() *urfave.Command {
	return &urfave.Command{Name: "doctor", Usage: "look at this device: what works, which engine really runs, and how to mend the rest",
		Flags:  []urfave.Flag{jsonFlag, &urfave.StringSliceFlag{Name: "models", Usage: "a model repository or a folder of .onnx files; `DIR`"}},
		Action: doctor}
}

func doctor(c *urfave.Context) error {
	var all []finding
	look := func(what string, err error, good, fix string) {
		f := finding{What: what, Good: err == nil, Detail: good}
		if err != nil {
			f.Detail, f.Fix = err.Error(), fix
		}
		all = append(all, f)
	}
	cfg, err := loadConfig(c)
	configured := cli.ConfigFile(c) != "" || err == nil
	if configured {
		look("configuration", err, "good", "canvas-edge check tells every mistake")
	}
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		path, err := exec.LookPath(program)
		look(program, err, path, "apt-get install ffmpeg: video needs it")
	}
	if configured && err == nil {
		look("data folder "+cfg.Data, writable(cfg.Data), "writable", "set data to a folder that the service may write to")
		look("cloud "+cfg.Cloud.URL, reachable(c.Context, cfg.Cloud.URL), "answers", "check the address, the network and the firewall; items wait in the buffer meanwhile")
		if cfg.Local.URL != "" {
			look("local broker "+cfg.Local.URL, reachable(c.Context, cfg.Local.URL), "answers", "systemctl start mosquitto, or set local.embedded")
		}
	}
	models, folders, err := openModels(c)
	if err != nil {
		look("models", err, "", "run make setup, or name a folder with --models")
	} else {
		look(fmt.Sprintf("models in %v", folders), modelProblem(models), fmt.Sprintf("%d", len(models.List())), "pull them again, or correct the manifest")
		for _, m := range models.List() {
			all = append(all, tryModel(c, m))
		}
	}
	return tellFindings(c, all)
}

func modelProblem(models *model.Repository) error {
	if problems := models.Problems(); len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// tryModel opens a model as the service would and says which engine runs it.
func tryModel(c *urfave.Context, m model.Model) finding {
	f := finding{What: "model " + m.Name + " " + m.Version}
	net, report, err := infer.Open(c.Context, m, infer.Auto, infer.Layout{Sessions: 1}, slog.New(slog.DiscardHandler))
	f.Engines = report.Trials
	if err != nil {
		f.Detail, f.Fix = err.Error(), "canvas-edge models verify "+m.Name
		return f
	}
	net.Close()
	f.Good, f.Detail = true, fmt.Sprintf("runs in %s on %s, %.1f ms an image, golden case: %s", report.Engine, report.Device, report.Ms, report.Golden)
	return f
}

func tellFindings(c *urfave.Context, all []finding) error {
	bad := 0
	for _, f := range all {
		if !f.Good {
			bad++
		}
	}
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			mark := "ok  "
			if !f.Good {
				mark = "BAD "
			}
			fmt.Fprintf(c.App.Writer, "%s %s: %s\n", mark, f.What, f.Detail)
			if f.Fix != "" {
				fmt.Fprintf(c.App.Writer, "       %s\n", f.Fix)
			}
			for _, t := range f.Engines {
				fmt.Fprintf(c.App.Writer, "       %-18s %s\n", t.Engine, trialLine(t))
			}
		}
	}
	if bad > 0 {
		return cli.Incompletef("%d of %d findings are bad", bad, len(all))
	}
	return nil
}

func trialLine(t infer.Trial) string {
	if t.Reason != "" {
		return t.Reason
	}
	return fmt.Sprintf("%.1f ms on %s, golden case: %s", t.Ms, t.Device, t.Golden)
}
