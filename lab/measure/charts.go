package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	chartWidth, chartHeight = 560, 360
	chartLeft, chartBottom  = 60, 50
)

// curveColours are of the ways, in their order.
var curveColours = []string{"#1f6fb4", "#2a9d5c"}

// draw writes quality against bytes as cascade.svg, each way a curve, with the straight line of pieces
// chosen at random. What costs more than sending everything is not drawn.
func (r CascadeReport) draw(dir string) error {
	low, high := min(r.Edge, r.Cloud), max(r.Edge, r.Cloud)
	for _, c := range r.curves() {
		for _, p := range c.Points {
			low, high = min(low, p.Quality), max(high, p.Quality)
		}
	}
	room := max(high-low, 0.01) * 0.1
	low, high = low-room, high+room
	x := func(bytes float64) float64 { return chartLeft + bytes*(chartWidth-chartLeft-20) }
	y := func(quality float64) float64 {
		return 20 + (high-quality)/(high-low)*(chartHeight-chartBottom-20)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", chartWidth, chartHeight)
	for i := range 5 {
		at := float64(i) / 4
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f %%</text>`+"\n", x(at), chartHeight-chartBottom+18, 100*at)
		q := low + at*(high-low)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%.3f</text><line x1="%d" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n",
			chartLeft-6, y(q)+4, q, chartLeft, x(1), y(q), y(q))
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">bytes, of sending everything</text>`+"\n", x(0.5), chartHeight-10)
	fmt.Fprintf(&b, `<text x="%d" y="14">%s: %s, then %s</text>`+"\n", chartLeft, escaped(r.Figure), escaped(r.EdgeModel), escaped(r.CloudModel))
	fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#999" stroke-dasharray="4"/>`+"\n", x(r.Points[0].Bytes), y(r.Edge), x(1), y(r.Cloud))
	for i, c := range r.curves() {
		colour := curveColours[i%len(curveColours)]
		var line strings.Builder
		for _, p := range c.Points {
			if p.Bytes <= 1.001 {
				fmt.Fprintf(&line, "%.1f,%.1f ", x(p.Bytes), y(p.Quality))
			}
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(line.String()), colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="%s" text-anchor="end">%s</text>`+"\n", x(1), chartHeight-chartBottom-8-16*i, colour, escaped(c.Send))
	}
	fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="5" fill="#d1495b"/>`+"\n</svg>\n", x(r.Chosen.Bytes), y(r.Chosen.Quality))
	return os.WriteFile(filepath.Join(dir, "cascade.svg"), []byte(b.String()), 0o644)
}

func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Sides of identities.svg.
const (
	rowHeight, rowsLeft, rowsWidth = 18, 140, 830
)

// draw writes identities.svg: a row for each of the worst objects, over the frames in which it is
// labelled, in the colours of the tracks that followed it. Gray is where none did.
func (r TrackReport) draw(dir string) error {
	first, last := 0, 1
	for i, o := range r.Worst {
		if i == 0 {
			first, last = o.First, o.Last
		}
		first, last = min(first, o.First), max(last, o.Last)
	}
	x := func(frame int) float64 {
		return rowsLeft + float64(frame-first)/float64(last-first+1)*(rowsWidth-rowsLeft-10)
	}
	height := rowHeight*len(r.Worst) + 50
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", rowsWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/><text x="8" y="16">worst objects, coloured by the track that follows each (HOTA %.3f, IDF1 %.3f, %d switches in all)</text>`+"\n",
		rowsWidth, height, r.HOTA, r.IDF1, r.Switches)
	for i, o := range r.Worst {
		y := 28 + i*rowHeight
		bar := func(from, to, high int, colour string) {
			fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, x(from), y+(rowHeight-high)/2, max(x(to+1)-x(from), 1), high, colour)
		}
		fmt.Fprintf(&b, `<text x="8" y="%d">%s</text>`, y+13, escaped(o.String()))
		bar(o.First, o.Last, 4, "#bbb")
		for _, f := range o.Follows {
			bar(f.First, f.Last, 12, colourOf(f.Track))
			if x(f.Last)-x(f.First) > 20 { // wide enough for its number
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" font-size="8" fill="white">%d</text>`, x(f.First)+2, y+12, f.Track)
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">frame %d</text><text x="%d" y="%d" text-anchor="end">%d</text>`+"\n</svg>\n", rowsLeft, height-8, first, rowsWidth-10, height-8, last)
	return os.WriteFile(filepath.Join(dir, "identities.svg"), []byte(b.String()), 0o644)
}

// colourOf gives tracks that began after each other different colours; the number says which it is.
func colourOf(track int) string {
	colours := [...]string{"#1f6fb4", "#d1495b", "#3a7d44", "#8f5bb5", "#c46a1b", "#1b8a8f", "#a23b72", "#5b6b1f", "#34495e", "#b0413e", "#6a5acd", "#7a5230"}
	return colours[(track%len(colours)+len(colours))%len(colours)] // ids of other trackers may be below 0
}
