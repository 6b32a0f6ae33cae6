package main

import (
	"fmt"
	"html"
	"strings"
)

// Sides of link.svg: names on the left, bytes in the middle, quality on the right.
const (
	plotRow, plotTop, plotWidth = 44, 82, 960
	bytesLeft, bytesWidth       = 250, 280
	qualityLeft, qualityWidth   = 640, 280
)

// plotMarks are what is shown of a mode's quality, with their colours.
var plotMarks = []struct {
	name, colour string
	of           func(linkLine) float64
}{
	{"class as with every tile", "#1f6fb4", func(l linkLine) float64 { return l.Same }},
	{"IoU of cloud", "#2a9d5c", func(l linkLine) float64 { return l.CloudIoU }},
	{"IoU of shadow", "#8f5bb5", func(l linkLine) float64 { return l.ShadowIoU }},
	{"not judged", "#d1495b", func(l linkLine) float64 { return l.Unjudged }},
}

// svg draws a row for each mode: its bytes as a bar beside the file's size, its quality as points.
func (r linkReport) svg() string {
	most := r.Scene
	for _, l := range r.Modes {
		most = max(most, l.Bytes)
	}
	bottom := plotTop + plotRow*len(r.Modes)
	mb := func(n int64) float64 { return bytesLeft + float64(n)/float64(max(most, 1))*bytesWidth }
	at := func(share float64) float64 { return qualityLeft + share*qualityWidth }
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, plotWidth, bottom+72)
	line(`<rect width="%d" height="%d" fill="white"/>`, plotWidth, bottom+72)
	line(`<text x="16" y="24" font-size="15">A scene over the link: what is sent, and what comes of it</text>`)
	line(`<text x="16" y="42" fill="#555">%s</text>`, html.EscapeString(r.Note))
	line(`<text x="%d" y="68">over the link, MB</text><text x="%d" y="68">the product's quality</text>`, bytesLeft, qualityLeft)
	for i := range 5 {
		x := at(float64(i) / 4)
		line(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%d %%</text>`, x, x, plotTop, bottom, x, bottom+18, 25*i)
	}
	for i, l := range r.Modes {
		y := plotTop + i*plotRow
		line(`<line x1="16" x2="%d" y1="%d" y2="%d" stroke="#eee"/>`, plotWidth-40, y, y)
		line(`<text x="16" y="%d">%s</text>`, y+plotRow/2+4, html.EscapeString(l.Mode))
		line(`<rect x="%d" y="%d" width="%.1f" height="%d" fill="#7aa6c8"/>`, bytesLeft, y+12, max(mb(l.Bytes)-bytesLeft, 1), plotRow-24)
		line(`<text x="%.1f" y="%d">%.2f</text>`, mb(l.Bytes)+6, y+plotRow/2+4, float64(l.Bytes)/1e6)
		for n, m := range plotMarks {
			// one above the other within the row, so that equal shares stay apart
			line(`<circle cx="%.1f" cy="%.1f" r="4.5" fill="%s"/>`, at(m.of(l)), float64(y)+float64(plotRow)*(float64(n)+1)/float64(len(plotMarks)+1), m.colour)
		}
	}
	line(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#444" stroke-dasharray="4"/>`, mb(r.Scene), mb(r.Scene), plotTop-4, bottom)
	line(`<text x="%.1f" y="%d" text-anchor="middle">the file, %.2f</text>`, mb(r.Scene), bottom+18, float64(r.Scene)/1e6)
	for n, m := range plotMarks {
		x := qualityLeft - 60 + n%2*190
		y := bottom + 42 + n/2*18
		line(`<circle cx="%d" cy="%d" r="4.5" fill="%s"/><text x="%d" y="%d">%s</text>`, x, y-4, m.colour, x+10, y, m.name)
	}
	line(`</svg>`)
	return b.String()
}
