//go:build bench

package bench

import (
	"fmt"
	"math"
	"strings"
)

// plot is a picture of lines on two logarithmic scales.
type plot struct {
	name   string // of its file
	title  string
	x, y   string
	lines  []string // names, in the order of their first points
	points map[string][]point
}

// point is a figure at a size.
type point struct{ x, y float64 }

func newPlot(name, title, x, y string) *plot {
	return &plot{name: name, title: title, x: x, y: y, points: map[string][]point{}}
}

// add appends a point to a line. Figures that a logarithm has no place for are taken as the least that is shown.
func (p *plot) add(line string, x, y float64) {
	if _, known := p.points[line]; !known {
		p.lines = append(p.lines, line)
	}
	p.points[line] = append(p.points[line], point{max(x, 1), max(y, 0.01)})
}

// The picture in pixels, and the colours of its lines, which are told apart by those who see no red or green too.
const (
	plotWidth, plotHeight                 = 760, 420
	plotLeft, plotRight, plotTop, plotLow = 70, 200, 40, 60
)

var plotColours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"}

// span is the decades that values need: the exponents of their ends.
func span(all []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range all {
		low, high = min(low, math.Log10(v)), max(high, math.Log10(v))
	}
	low, high = math.Floor(low), math.Ceil(high)
	if low == high {
		high++
	}
	return low, high
}

// svg draws p.
func (p *plot) svg() string {
	var xs, ys []float64
	for _, line := range p.points {
		for _, at := range line {
			xs, ys = append(xs, at.x), append(ys, at.y)
		}
	}
	x0, x1 := span(xs)
	y0, y1 := span(ys)
	across := float64(plotWidth - plotLeft - plotRight)
	down := float64(plotHeight - plotTop - plotLow)
	px := func(v float64) float64 { return plotLeft + (math.Log10(v)-x0)/(x1-x0)*across }
	py := func(v float64) float64 { return plotTop + down - (math.Log10(v)-y0)/(y1-y0)*down }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		"font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		plotWidth, plotHeight)
	text := func(x, y float64, anchor, extra, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="#222"%s>%s</text>`+"\n", x, y, anchor, extra, s)
	}
	rule := func(xa, ya, xb, yb float64) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", xa, ya, xb, yb)
	}
	text(plotLeft, 22, "start", ` font-size="15"`, p.title)
	for e := x0; e <= x1; e++ {
		at := px(math.Pow(10, e))
		rule(at, plotTop, at, plotTop+down)
		text(at, plotTop+down+18, "middle", "", decade(e))
	}
	for e := y0; e <= y1; e++ {
		at := py(math.Pow(10, e))
		rule(plotLeft, at, plotLeft+across, at)
		text(plotLeft-8, at+4, "end", "", decade(e))
	}
	text(plotLeft+across/2, plotHeight-16, "middle", "", p.x)
	text(16, plotTop+down/2, "middle", fmt.Sprintf(` transform="rotate(-90 16 %.1f)"`, plotTop+down/2), p.y)
	for i, name := range p.lines {
		colour := plotColours[i%len(plotColours)]
		var path strings.Builder
		for _, at := range p.points[name] {
			fmt.Fprintf(&path, "%.1f,%.1f ", px(at.x), py(at.y))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", px(at.x), py(at.y), colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n",
			strings.TrimSpace(path.String()), colour)
		y := float64(plotTop + 14 + 20*i)
		fmt.Fprintf(&b, `<rect x="%d" y="%.1f" width="12" height="12" fill="%s"/>`+"\n", plotWidth-plotRight+14, y-10,
			colour)
		text(plotWidth-plotRight+32, y, "start", "", name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// decade is how a power of ten is written at an axis.
func decade(e float64) string {
	switch {
	case e >= 6:
		return fmt.Sprintf("%.0fM", math.Pow(10, e-6))
	case e >= 3:
		return fmt.Sprintf("%.0fk", math.Pow(10, e-3))
	}
	return fmt.Sprintf("%g", math.Pow(10, e))
}
