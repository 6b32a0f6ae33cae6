package event

// Span is where part n of so many lies in data of that length. It depends on nothing else, so that
// both lives of a device that restarts cut alike.
func Span(length int, n, of uint32) (from, to int) {
	at := func(n uint32) int { return int(uint64(length) * uint64(n) / uint64(of)) }
	return at(n), at(n + 1)
}

// Cut is part n of the item in so many; the item itself where that is 1. Parts share its data.
func (i Item) Cut(n, of uint32) Item {
	if of <= 1 {
		return i
	}
	from, to := Span(len(i.Data), n, of)
	i.Attrs.Part, i.Attrs.Parts, i.Attrs.PartOf = n, of, i.Kind
	i.Kind, i.Data = Part, i.Data[from:to]
	return i
}
