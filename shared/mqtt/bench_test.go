package mqtt

import (
	"fmt"
	"sync"
	"testing"

	"cloudcanvas/shared/brokertest"
)

// BenchmarkPublish is QoS 1 publishing with the uplink's window of 64, PUBACKs awaited.
func BenchmarkPublish(b *testing.B) {
	embedded, err := Embed(EmbedOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer embedded.Close()
	for name, url := range map[string]string{"embedded": embedded.URL(), "mosquitto": brokertest.StartMosquitto(b).URL} {
		for _, size := range []int{1 << 10, 100 << 10} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				up := make(chan struct{}, 1)
				m, err := Dial(b.Context(), Options{URL: url, OnUp: func() { up <- struct{}{} }})
				if err != nil {
					b.Fatal(err)
				}
				defer m.Close()
				<-up
				b.SetBytes(int64(size))
				payload := make([]byte, size)
				window := make(chan struct{}, 64)
				var work sync.WaitGroup
				for b.Loop() {
					window <- struct{}{}
					work.Go(func() {
						defer func() { <-window }()
						if err := m.Publish(b.Context(), "bench", 1, false, payload); err != nil {
							b.Error(err)
						}
					})
				}
				work.Wait()
			})
		}
	}
}
