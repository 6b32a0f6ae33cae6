package linksim

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	chartWidth, chartHeight = 560.0, 320.0
	leftMargin, topMargin   = 70.0, 50.0
)

var colours = []string{"#7f7f7f", "#1f77b4", "#2ca02c", "#9467bd", "#d62728", "#ff7f0e"}

// SVG draws two charts: the value brought down over time, and the latency of alerts.
func (r Report) SVG() string {
	var b strings.Builder
	width, height := 2*(chartWidth+leftMargin)+40, chartHeight+topMargin+110
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", width, height)
	value, latency := chart{left: leftMargin, title: "Value brought down (simulated)", x: "hours", y: "value, MB"},
		chart{left: 2*leftMargin + chartWidth + 20, title: "Latency of alerts (simulated)", x: "hours, logarithmic", y: "share of alerts", log: true, most: 1}
	for i, res := range r.Results {
		value.add(i, thin(res.value, 1e-6))
		latency.add(i, cumulative(res.latencies))
	}
	value.draw(&b)
	latency.draw(&b)
	for i, res := range r.Results {
		x, y := leftMargin+float64(i%3)*440, topMargin+chartHeight+60+float64(i/3)*22
		fmt.Fprintf(&b, `<rect x="%.0f" y="%.0f" width="18" height="4" fill="%s"/><text x="%.0f" y="%.0f">%s</text>`+"\n", x, y-5, colour(i), x+24, y, html.EscapeString(short(res.Label)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func colour(i int) string { return colours[i%len(colours)] }

// short is a label up to its first comma, so that the legend fits.
func short(label string) string {
	if i := strings.LastIndex(label, ", re-implemented"); i > 0 {
		return label[:i]
	}
	return label
}

// thin keeps at most a few hundred points of a curve.
func thin(points []point, scale float64) []point {
	step := max(len(points)/300, 1)
	var out []point
	for i := 0; i < len(points); i += step {
		out = append(out, point{points[i].at, points[i].y * scale})
	}
	if n := len(points); n > 0 {
		out = append(out, point{points[n-1].at, points[n-1].y * scale})
	}
	return out
}

// cumulative is a cumulative distribution over hours.
func cumulative(latencies []float64) []point {
	var all []point
	for i, s := range latencies {
		all = append(all, point{max(s/3600, 0.01), float64(i+1) / float64(len(latencies))})
	}
	return thin(all, 1)
}

type chart struct {
	left        float64
	title, x, y string
	log         bool
	most        float64 // of y
	curves      []curve
}

type curve struct {
	colour string
	points []point
}

func (c *chart) add(i int, points []point) { c.curves = append(c.curves, curve{colour(i), points}) }

func (c *chart) draw(b *strings.Builder) {
	low, high, top := 0.0, 1.0, c.most
	for _, cv := range c.curves {
		for _, p := range cv.points {
			high = max(high, p.at)
			if c.most == 0 {
				top = max(top, p.y)
			}
		}
	}
	top = max(top, 1e-9)
	if c.log {
		low, high = -2, math.Ceil(math.Log10(high))
	}
	px := func(x float64) float64 {
		if c.log {
			x = math.Log10(x)
		}
		return c.left + (x-low)/(high-low)*chartWidth
	}
	py := func(y float64) float64 { return topMargin + chartHeight*(1-y/top) }
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" font-size="15">%s</text>`+"\n", c.left, topMargin-18, html.EscapeString(c.title))
	fmt.Fprintf(b, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" fill="none" stroke="#444"/>`+"\n", c.left, topMargin, chartWidth, chartHeight)
	for i := range 5 {
		y := top * float64(i) / 4
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="end">%.3g</text>`+"\n", c.left-6, py(y)+4, y)
	}
	ticks := 6.0
	if c.log {
		ticks = high - low
	}
	for i := 0.0; i <= ticks; i++ {
		at := low + (high-low)*i/ticks
		label := fmt.Sprintf("%.0f", at)
		if c.log {
			label = fmt.Sprintf("%g", math.Pow(10, at))
		}
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle">%s</text>`+"\n", c.left+chartWidth*i/ticks, topMargin+chartHeight+18, label)
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle">%s; up: %s</text>`+"\n", c.left+chartWidth/2, topMargin+chartHeight+36, c.x, c.y)
	for _, cv := range c.curves {
		var path strings.Builder
		for _, p := range cv.points {
			fmt.Fprintf(&path, "%.1f,%.1f ", px(p.at), py(p.y))
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", cv.colour, strings.TrimSpace(path.String()))
	}
}
