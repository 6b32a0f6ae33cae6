package mqtt

import (
	"testing"
	"time"
)

func TestWhatIsPublishedWhenASubscriptionStandsComes(t *testing.T) {
	server, err := Embed(EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c, err := Dial(t.Context(), Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stands, came := make(chan struct{}, 1), make(chan string, 1)
	c.SubscribeThen("early", 1, func(m Message) { came <- string(m.Payload) }, func() { stands <- struct{}{} })
	for _, topic := range []string{"early", "late"} { // before the connection, and on it
		if topic == "late" {
			c.SubscribeThen("late", 1, func(m Message) { came <- string(m.Payload) }, func() { stands <- struct{}{} })
		}
		select {
		case <-stands:
		case <-time.After(2 * time.Minute):
			t.Fatal("the subscription does not stand")
		}
		if err := c.Publish(t.Context(), topic, 1, false, []byte(topic)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-came:
			if got != topic {
				t.Errorf("%s came on %s", got, topic)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("what was published after it does not come")
		}
	}
}
