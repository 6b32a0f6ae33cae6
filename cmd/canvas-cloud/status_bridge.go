package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/coord"
)

// printBridges says who carries the edges, and what is missing of which edge, since when.
func printBridges(w io.Writer, owners map[string]coord.Owner, edges []bridge.EdgeStatus, now time.Time) {
	slots := map[string]int{}
	for slot := range bridge.Slots {
		if o, owned := owners[bridge.SlotLease(slot)]; owned {
			slots[o.Member]++
		}
	}
	fmt.Fprintln(w, "\nBRIDGE\tSLOTS")
	for _, member := range slices.Sorted(maps.Keys(slots)) {
		fmt.Fprintf(w, "%s\t%d\n", member, slots[member])
	}
	fmt.Fprintf(w, "\nedges known\t%d\n", countEdges(edges))
	printTwins(w, edges)
	late := slices.DeleteFunc(slices.Clone(edges), func(s bridge.EdgeStatus) bool { return !s.Late(now) })
	if len(late) == 0 {
		fmt.Fprintln(w, "gaps\tnone")
		return
	}
	fmt.Fprintln(w, "EDGE\tEPOCH\tMISSING\tSINCE\tLAST HEARD\tNUMBERS")
	for _, s := range late {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Edge, s.Epoch, s.Missing, since(now, s.Since), since(now, s.Last), ranges(s))
	}
}

// printTwins names the edges under whose name two agents speak.
func printTwins(w io.Writer, edges []bridge.EdgeStatus) {
	said := map[string]bool{}
	for _, s := range edges {
		if s.Twin == "" || said[s.Edge] {
			continue
		}
		said[s.Edge] = true
		fmt.Fprintf(w, "TWINS\t%s\tepochs %s and %s: two agents have this name, give one of them another\n", s.Edge, s.Epoch, s.Twin)
	}
}

func countEdges(all []bridge.EdgeStatus) int {
	names := map[string]bool{}
	for _, s := range all {
		names[s.Edge] = true
	}
	return len(names)
}

func since(now, then time.Time) string { return now.Sub(then).Round(time.Second).String() }

// ranges are the first few gaps.
func ranges(s bridge.EdgeStatus) string {
	const most = 4
	var text []string
	for n, g := range s.Gaps {
		if n == most {
			text = append(text, "…")
			break
		}
		if g.From == g.To {
			text = append(text, fmt.Sprint(g.From))
		} else {
			text = append(text, fmt.Sprintf("%d-%d", g.From, g.To))
		}
	}
	return strings.Join(text, " ")
}
