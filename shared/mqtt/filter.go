package mqtt

import "strings"

// Matches says whether an MQTT topic filter takes in a topic (MQTT 3.1.1, section 4.7). A shared
// subscription's $share/<group>/ is passed over.
func Matches(filter, topic string) bool {
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
		_, filter, _ = strings.Cut(rest, "/")
	}
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		want, restFilter, moreFilter := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		have, restTopic, moreTopic := strings.Cut(topic, "/")
		if want != "+" && want != have {
			return false
		}
		if !moreFilter || !moreTopic {
			// "a/#" takes in "a" as well.
			return moreFilter == moreTopic || moreFilter && restFilter == "#"
		}
		filter, topic = restFilter, restTopic
	}
}
