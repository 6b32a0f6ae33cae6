package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/visible"
)

// print writes what is known as tables.
func (s status) print(out io.Writer) error {
	w := table(out)
	if s.Owners != nil {
		s.printMembers(w)
	}
	if s.Dead != nil {
		s.printLag(w)
		w.Printf("dead letters\t%d\n\n", *s.Dead)
	}
	if s.Owners != nil {
		printBridges(w, s.Owners, s.Edges, time.Now())
		s.printOwned(w)
	}
	return w.Flush()
}

func (s status) printMembers(w *visible.Table) {
	w.Printf("ROLE\tID\tHOST\tACCELERATOR\tMODELS AND THEIR ITEMS/S\n")
	for _, role := range []string{coord.Worker, coord.Bridge, coord.Mosaic} {
		for _, m := range s.Members[role] {
			w.Printf("%s\t%s\t%s\t%s\t%s\n", role, m.ID, m.Host, orDash(m.Accelerator), models(m))
		}
	}
	w.Printf("\n")
}

func (s status) printLag(w *visible.Table) {
	w.Printf("TOPIC\tPARTITION\tLAG\tOLDEST\tEND\tOWNER\tSINCE\n")
	for _, l := range s.Lag {
		oldest := "-"
		if l.Lag > 0 {
			oldest = time.Duration(l.Age * float64(time.Second)).Round(time.Second).String()
		}
		owner := s.Owners[l.partition()]
		w.Printf("%s\t%d\t%d\t%s\t%d\t%s\t%s\n", l.Topic, l.Partition, l.Lag, oldest, l.End, orDash(owner.Member), ago(owner.Since))
	}
	w.Printf("\n")
}

// printOwned lists what is owned beside partitions and the bridges' slots.
func (s status) printOwned(w *visible.Table) {
	others := maps.Clone(s.Owners)
	for _, l := range s.Lag {
		delete(others, l.partition())
	}
	for slot := range slots.Count {
		delete(others, slots.Lease(slot))
	}
	if len(others) == 0 {
		return
	}
	w.Printf("OWNED\tBY\tSINCE\n")
	for _, what := range slices.Sorted(maps.Keys(others)) {
		w.Printf("%s\t%s\t%s\n", what, others[what].Member, ago(others[what].Since))
	}
}

// models are those that a worker has loaded or measured: name@version and items/s.
func models(m coord.Member) string {
	names := maps.Clone(m.Models)
	if names == nil {
		names = map[string]string{}
	}
	for name := range m.Rates {
		names[name] += ""
	}
	var each []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		one := name
		if v := names[name]; v != "" {
			one += "@" + v
		}
		if r := m.Rates[name]; r > 0 {
			one += fmt.Sprintf(" %.3g", r)
		}
		each = append(each, one)
	}
	return orDash(strings.Join(each, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
