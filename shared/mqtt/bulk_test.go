package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

func TestGatheredWritesArriveWholeAndInOrder(t *testing.T) {
	near, far := net.Pipe()
	c := newBulkConn(near)
	var want bytes.Buffer
	for n := range 5000 {
		fmt.Fprintf(&want, "%d,", n)
	}
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(far)
		got <- all
	}()
	for piece := range bytes.SplitAfterSeq(want.Bytes(), []byte(",")) {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	c.Close() // what is gathered leaves first
	if b := <-got; !bytes.Equal(b, want.Bytes()) {
		t.Errorf("%d bytes arrived of %d", len(b), want.Len())
	}
	if _, err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestGatheredWritesTellOfALostConnection(t *testing.T) {
	near, far := net.Pipe()
	c := newBulkConn(near)
	far.Close()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for { // the first ones may be gathered
				if _, err := c.Write(make([]byte, mostGathered)); err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	c.Close()
}

func TestCloseDoesNotWaitForADeadLink(t *testing.T) {
	near, far := net.Pipe() // nobody reads
	defer far.Close()
	c := newBulkConn(near)
	c.Write([]byte("goodbye"))
	c.Close()
}

func TestReadsAheadGiveWhatCame(t *testing.T) {
	near, far := net.Pipe()
	c := newBulkConn(near)
	go func() {
		far.Write([]byte("abc"))
		far.Write(bytes.Repeat([]byte("x"), 2*readAhead))
		far.Close()
	}()
	all, err := io.ReadAll(c)
	if err != nil || len(all) != 3+2*readAhead || string(all[:4]) != "abcx" {
		t.Errorf("%d bytes, %v", len(all), err)
	}
	c.Close()
}
