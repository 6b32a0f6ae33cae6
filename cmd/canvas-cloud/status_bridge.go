package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/visible"
)

// printBridges says who carries the edges, and what is missing of which edge, since when.
func printBridges(w *visible.Table, owners map[string]coord.Owner, edges []dedup.EdgeStatus, now time.Time) {
	carries := map[string]int{}
	for slot := range slots.Count {
		if o, owned := owners[slots.Lease(slot)]; owned {
			carries[o.Member]++
		}
	}
	w.Printf("\nBRIDGE\tSLOTS\n")
	for _, member := range slices.Sorted(maps.Keys(carries)) {
		w.Printf("%s\t%d\n", member, carries[member])
	}
	w.Printf("\nedges known\t%d\n", countEdges(edges))
	printTwins(w, edges)
	printRefused(w, edges)
	late := slices.DeleteFunc(slices.Clone(edges), func(s dedup.EdgeStatus) bool { return !s.Late(now) })
	if len(late) == 0 {
		w.Printf("gaps\tnone\n")
		return
	}
	w.Printf("EDGE\tEPOCH\tMISSING\tSINCE\tLAST HEARD\tNUMBERS\n")
	for _, s := range late {
		w.Printf("%s\t%s\t%d\t%s\t%s\t%s\n", s.Edge, s.Epoch, s.Missing, since(now, s.Since), since(now, s.Last), ranges(s))
	}
}

// printTwins names the edges whose name two agents use.
func printTwins(w *visible.Table, edges []dedup.EdgeStatus) {
	said := map[string]bool{}
	for _, s := range edges {
		if s.Twin == "" || said[s.Edge] {
			continue
		}
		said[s.Edge] = true
		w.Printf("TWINS\t%s\tepochs %s and %s: two agents have this name, give one of them another\n", s.Edge, s.Epoch, s.Twin)
	}
}

// printRefused names the edges whose messages were over a bound.
func printRefused(w *visible.Table, edges []dedup.EdgeStatus) {
	said := map[string]bool{}
	for _, s := range edges {
		if len(s.Refused) == 0 || said[s.Edge] {
			continue
		}
		said[s.Edge] = true
		var text []string
		for _, bound := range slices.Sorted(maps.Keys(s.Refused)) {
			text = append(text, fmt.Sprintf("%s %d", bound, s.Refused[bound]))
		}
		w.Printf("REFUSED\t%s\tmessages over a bound so far: %s\n", s.Edge, strings.Join(text, ", "))
	}
}

func countEdges(all []dedup.EdgeStatus) int {
	names := map[string]bool{}
	for _, s := range all {
		names[s.Edge] = true
	}
	return len(names)
}

func since(now, then time.Time) string { return now.Sub(then).Round(time.Second).String() }

// ranges are the first few gaps.
func ranges(s dedup.EdgeStatus) string {
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
