package link_test

import (
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/signed"
)

// BenchmarkAnItemAndItsReceipt sends readings over a mosquitto, each with a receipt of its own, which is more
// receipts than a bridge sends; and says what part of an item's time signing and verifying one takes.
func BenchmarkAnItemAndItsReceipt(b *testing.B) {
	for _, signs := range []bool{false, true} {
		name, keys := "plain", []ed25519.PublicKey(nil)
		key := cloudKey(b)
		if signs {
			name, keys = "signed", publicOf(key)
		}
		b.Run(name, func(b *testing.B) {
			p := pin(b, keys)
			s := p.signer(key)
			due := make(chan uint64, 1<<16)
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			go func() {
				for {
					var seq uint64
					select {
					case seq = <-due:
					case <-ctx.Done():
						return
					}
					message := p.receipt(seq)
					if signs {
						message = p.sign(s, edge, event.DownReceipts, message)
					}
					p.hand.Publish(ctx, event.ReceiptsTopic(edge), 1, false, message)
				}
			}()
			p.hand.Subscribe("canvas/v1/"+edge+"/up/#", 1, func(m mqtt.Message) {
				i, err := event.UnmarshalMQTT(m.Payload)
				if err != nil {
					b.Error(err)
					return
				}
				due <- i.Seq
			})
			b.ResetTimer()
			all := make([]event.Item, b.N)
			for n := range all {
				all[n] = reading(uint64(n + 1))
			}
			p.b.Add(all...)
			for !empty(p, b.N) {
				time.Sleep(100 * time.Microsecond)
			}
			b.StopTimer()
			if signs {
				b.ReportMetric(crypto(b, p, key)/(b.Elapsed().Seconds()/float64(b.N)), "crypto/item")
			}
		})
	}
}

func empty(p *pinned, n int) bool {
	for seq := uint64(n); seq > 0; seq-- {
		if p.b.Waits(seq) {
			return false
		}
	}
	return true
}

// crypto is how many seconds it takes to sign a receipt and to verify it.
func crypto(b *testing.B, p *pinned, key ed25519.PrivateKey) float64 {
	b.Helper()
	const times = 200
	s, v := signed.NewSigner(key), signed.NewVerifier(edge, publicOf(key))
	s.Heard(edge, v.Session())
	message := p.receipt(1)
	began := time.Now()
	for range times {
		if _, _, err := v.Open(event.DownReceipts, p.sign(s, edge, event.DownReceipts, message)); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began).Seconds() / times
}
