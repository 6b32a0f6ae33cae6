package linksim

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what all policies made of the same trace and plan.
type Report struct {
	Simulated     bool     `json:"simulated"` // always true
	Captures      int      `json:"captures"`
	CapturedBytes int64    `json:"captured_bytes"`
	Windows       int      `json:"windows"`
	LinkBytes     float64  `json:"link_bytes"` // what the windows could carry
	Hours         float64  `json:"hours"`
	Results       []Result `json:"results"`
	// Ours against FIFO; 0 where there is nothing to divide by.
	ValueGain      float64 `json:"value_per_byte_gain"` // 1 is +100 %
	LayersGain     float64 `json:"layers_value_per_byte_gain"`
	LatencyGain    float64 `json:"alert_latency_p90_gain"`    // so many times lower
	UnchangedShare float64 `json:"unchanged_bytes_over_fifo"` // bytes for unchanged ground over those of sending all in order
}

// Compare runs every policy.
func Compare(ctx context.Context, t Trace, plan Plan) (Report, error) {
	if len(t) == 0 {
		return Report{}, fmt.Errorf("the trace holds no captures")
	}
	rep := Report{Simulated: true, Captures: len(t), Windows: len(plan.Windows)}
	for _, c := range t {
		rep.CapturedBytes += int64(c.Bytes)
	}
	for _, w := range plan.Windows {
		rate := w.BytesPerSecond
		if rate == 0 {
			rate = plan.BytesPerSecond
		}
		rep.LinkBytes += rate * w.To.Sub(w.From).Seconds()
		rep.Hours = w.To.Sub(plan.Begin).Hours()
	}
	rep.Hours = max(rep.Hours, t[len(t)-1].At.Hours())
	for _, p := range Policies() {
		res, err := Run(ctx, t, plan, p)
		if err != nil {
			return Report{}, err
		}
		rep.Results = append(rep.Results, res)
	}
	fifo, ours, layers := rep.result("fifo"), rep.result("canvas"), rep.result("canvas-layers")
	if fifo.ValuePerByte > 0 {
		rep.ValueGain, rep.LayersGain = ours.ValuePerByte/fifo.ValuePerByte-1, layers.ValuePerByte/fifo.ValuePerByte-1
	}
	if ours.AlertP90 > 0 {
		rep.LatencyGain = fifo.AlertP90 / ours.AlertP90
	}
	if fifo.UnchangedBytes > 0 {
		rep.UnchangedShare = float64(ours.UnchangedBytes) / float64(fifo.UnchangedBytes)
	}
	return rep, nil
}

func (r Report) result(policy string) Result {
	return r.Results[slices.IndexFunc(r.Results, func(x Result) bool { return x.Policy == policy })]
}

// Print writes the report for people.
func (r Report) Print(to io.Writer) {
	fmt.Fprintf(to, "simulated: %d captures of %s in %.0f h, %d windows that carry %s; the same trace and plan for all\n\n",
		r.Captures, bytesText(float64(r.CapturedBytes)), r.Hours, r.Windows, bytesText(r.LinkBytes))
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "policy\tsent\tvalue/byte\tclear\tunchanged\tchanged found\talerts\tp50\tp90\tlongest wait\twaiting\t")
	for _, x := range r.Results {
		fmt.Fprintf(w, "%s\t%s\t%.3f\t%.0f %%\t%s\t%.0f %%\t%d/%d\t%s\t%s\t%s\t%d\t\n", x.Policy, bytesText(float64(x.Sent)), x.ValuePerByte, 100*x.ClearShare,
			bytesText(float64(x.UnchangedBytes)), 100*x.ChangedDelivered, x.AlertsDelivered, x.Alerts, seconds(x.AlertP50), seconds(x.AlertP90), seconds(x.LongestWait), x.NeverSent)
	}
	w.Flush()
	fmt.Fprintln(to, "\nbytes per rung of the product ladder")
	w = tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "policy\t")
	for _, k := range kinds {
		fmt.Fprintf(w, "%s\t", k)
	}
	fmt.Fprintln(w)
	for _, x := range r.Results {
		fmt.Fprintf(w, "%s\t", x.Policy)
		for _, k := range kinds {
			fmt.Fprintf(w, "%s\t", bytesText(float64(x.Bytes[k])))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	fmt.Fprintln(to)
	for _, x := range r.Results {
		fmt.Fprintf(to, "%-13s %s\n", x.Policy, x.Label)
	}
	fmt.Fprintf(to, "\nsimulated, canvas over FIFO: value per byte %+.0f %% (in layers %+.0f %%), p90 alert latency %.0f times lower, bytes for unchanged ground %.2f of FIFO's\n",
		100*r.ValueGain, 100*r.LayersGain, r.LatencyGain, r.UnchangedShare)
	fmt.Fprintln(to, "An alert that never came counts with its age at the end, so FIFO's latencies are at least what is shown. docs/simulation.md says what the trace assumes.")
}

func bytesText(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g TB", n)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
