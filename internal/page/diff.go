package page

import (
	"fmt"
	"regexp"
	"strings"
)

// mostCells bounds the table by which two sequences are compared; larger ones are taken for wholly different.
const mostCells = 4 << 20

// step is a pair of elements, or one that only one side has, by index; -1 stands for none.
type step struct{ old, new int }

// compare pairs the elements of the longest common subsequence. What is gone comes before what is new.
func compare[T comparable](a, b []T) []step {
	var out []step
	if len(a)*len(b) > mostCells {
		for i := range a {
			out = append(out, step{i, -1})
		}
		for j := range b {
			out = append(out, step{-1, j})
		}
		return out
	}
	w := len(b) + 1
	longest := make([]int32, (len(a)+1)*w) // of a[i:] and b[j:]
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i*w+j] = longest[(i+1)*w+j+1] + 1
			} else {
				longest[i*w+j] = max(longest[(i+1)*w+j], longest[i*w+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, step{i, j})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[(i+1)*w+j] >= longest[i*w+j+1]:
			out = append(out, step{i, -1})
			i++
		default:
			out = append(out, step{-1, j})
			j++
		}
	}
	return out
}

// diffRow is a line of a Diff: on both sides, or on one. Numbers count from 1; 0 stands for no line.
type diffRow struct {
	OldRow, NewRow int
	Old, New       []diffPart
	Changed        bool
	// Skipped is how many equal lines the row stands for; it has no others.
	Skipped int
}

// diffPart is a part of a line; Marked is set where the other side has something else.
type diffPart struct {
	Text   string
	Marked bool
}

// rows pairs the lines of both texts. Lines that went are beside those that came in their place, by their order.
func (d Diff) rows() []diffRow {
	before, after := lines(d.Old), lines(d.New)
	var out []diffRow
	steps := compare(before, after)
	for len(steps) > 0 {
		if s := steps[0]; s.old >= 0 && s.new >= 0 {
			text := []diffPart{{Text: before[s.old]}}
			out = append(out, diffRow{OldRow: d.old(s.old), NewRow: d.new(s.new), Old: text, New: text})
			steps = steps[1:]
			continue
		}
		var gone, come []int
		for ; len(steps) > 0 && (steps[0].old < 0 || steps[0].new < 0); steps = steps[1:] {
			if steps[0].old >= 0 {
				gone = append(gone, steps[0].old)
			} else {
				come = append(come, steps[0].new)
			}
		}
		for i := range max(len(gone), len(come)) {
			row := diffRow{Changed: true}
			switch {
			case i >= len(come):
				row.OldRow, row.Old = d.old(gone[i]), []diffPart{{Text: before[gone[i]]}}
			case i >= len(gone):
				row.NewRow, row.New = d.new(come[i]), []diffPart{{Text: after[come[i]]}}
			default:
				row.OldRow, row.NewRow = d.old(gone[i]), d.new(come[i])
				row.Old, row.New = words(before[gone[i]], after[come[i]])
			}
			out = append(out, row)
		}
	}
	return folded(out)
}

// context is how many equal lines are shown beside changed ones, and the least number that is skipped.
const context = 4

// folded leaves out long runs of equal lines.
func folded(rows []diffRow) []diffRow {
	var out []diffRow
	for i := 0; i < len(rows); {
		end := i
		for end < len(rows) && !rows[end].Changed {
			end++
		}
		from, to := i, end // what is skipped
		if i > 0 {
			from += context
		}
		if end < len(rows) {
			to -= context
		}
		if to-from >= context && (i > 0 || end < len(rows)) {
			out = append(out, rows[i:from]...)
			out = append(out, diffRow{Skipped: to - from})
			i = to
		}
		out = append(out, rows[i:min(end+1, len(rows))]...)
		i = end + 1
	}
	return out
}

func (d Diff) old(i int) int { return max(1, d.OldRow) + i }
func (d Diff) new(i int) int { return max(1, d.NewRow) + i }

// lines are those of a source, without an empty one at the end.
func lines(text string) []string {
	text = strings.TrimSuffix(cut(text, mostSource), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	if over := len(all) - mostLines; over > 0 {
		all = append(all[:mostLines], fmt.Sprintf("[cut: %d more lines]", over))
	}
	for i, l := range all {
		all[i] = cut(l, mostLine)
	}
	return all
}

// token is a word, blanks, or any other character.
var token = regexp.MustCompile(`[\pL\pN_]+|\s+|.`)

// words marks what differs in two lines. Two lines that share little are marked as a whole.
func words(a, b string) (old, new []diffPart) {
	as, bs := token.FindAllString(a, -1), token.FindAllString(b, -1)
	same := 0
	for _, s := range compare(as, bs) {
		switch {
		case s.new < 0:
			old = appendPart(old, as[s.old], true)
		case s.old < 0:
			new = appendPart(new, bs[s.new], true)
		default:
			same += len(strings.TrimSpace(as[s.old]))
			old, new = appendPart(old, as[s.old], false), appendPart(new, bs[s.new], false)
		}
	}
	if 3*same < max(len(a), len(b)) {
		return []diffPart{{Text: a}}, []diffPart{{Text: b}}
	}
	return old, new
}

func appendPart(parts []diffPart, text string, marked bool) []diffPart {
	if n := len(parts); n > 0 && parts[n-1].Marked == marked {
		parts[n-1].Text += text
		return parts
	}
	return append(parts, diffPart{text, marked})
}
