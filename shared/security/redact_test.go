package security

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAddressesAreShownWithoutTheirSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"rtsp://admin:s3cret@10.0.0.7:554/live?channel=1&token=abc": "rtsp://xxxxx@10.0.0.7:554/live?channel=1&token=xxxxx",
		"rtsp://camera/gate":                                     "rtsp://camera/gate",
		"https://h/x?X-Amz-Signature=abc&x=1":                    "https://h/x?X-Amz-Signature=xxxxx&x=1",
		"s3://bucket?region=eu&awssecret=1":                      "s3://bucket?region=eu&awssecret=xxxxx",
		"/var/lib/canvas/video.mp4":                              "/var/lib/canvas/video.mp4",
		"mqtt://u:p@broker:1883":                                 "mqtt://xxxxx@broker:1883",
		"rtsp://u:p%zz@h/":                                       "rtsp://xxxxx@h/",
		"rtsp://u:p@ss@h/x":                                      "rtsp://xxxxx@h/x",
		"file:///objects":                                        "file:///objects",
		"rtsp://h/cam/realmonitor?user=admin&password=S3cretPw1": "rtsp://h/cam/realmonitor?user=xxxxx&password=xxxxx",
		"rtsp://h:554/user=admin&password=S3cretPw1&channel=1":   "rtsp://h:554/user=xxxxx&password=xxxxx&channel=1",
		"rtsp://h/user=admin_password=tlJ/wpbo6_channel=1.sdp":   "rtsp://h/user=xxxxx",
		"http://h/v.cgi?loginuse=admin&loginpas=x&rate=0":        "http://h/v.cgi?loginuse=xxxxx&loginpas=xxxxx&rate=0",
		"rtsp://h/x?pw=1&psw=2&key=3&Pwd=4&channel=5":            "rtsp://h/x?pw=xxxxx&psw=xxxxx&key=xxxxx&Pwd=xxxxx&channel=5",
		"rtsp://h/x;token=abc":                                   "rtsp://h/x;token=xxxxx",
		"rtsp://h/x#access_token=abc":                            "rtsp://h/x#access_token=xxxxx",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`Get "http://u:p@h/x?api_key=1": dial tcp: refused`: `Get "http://xxxxx@h/x?api_key=xxxxx": dial tcp: refused`,
		"parse rtsp://u:p%zz@h/x: bad":                      "parse rtsp://xxxxx@h/x: bad",
		"nothing here = 3":                                  "nothing here = 3",
		"mail me@h.org":                                     "mail me@h.org",
		"path=/etc/canvas/keys url=mqtt://h:1":              "path=/etc/canvas/keys url=mqtt://h:1",
		"rtsp://h/x?user=a&password=b: 401 Unauthorized":    "rtsp://h/x?user=xxxxx&password=xxxxx 401 Unauthorized",
	} {
		if got := RedactText(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func TestNoPasswordIsEverShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := "S3CR3T" + rapid.StringMatching(`[a-zA-Z0-9@:%!.,~-]{0,12}`).Draw(t, "rest")
		u := url.URL{Scheme: rapid.SampledFrom([]string{"rtsp", "mqtts", "https", "s3"}).Draw(t, "scheme"), User: url.UserPassword("u", secret), Host: "h:1", Path: "/x",
			Fragment: rapid.SampledFrom([]string{"", "token=" + secret}).Draw(t, "fragment"), RawQuery: url.Values{"a": {"1"}, rapid.SampledFrom([]string{"token", "password", "Signature", "apikey"}).Draw(t, "name"): {secret}}.Encode()}
		for _, address := range []string{u.String(), "rtsp://u:" + secret + "@h/x", "rtsp://h/user=u_password=" + secret + "_channel=1.sdp"} {
			for _, got := range []string{Redact(address), RedactText("it failed: " + address + ": refused"), RedactText(`parse "` + address + `": bad`)} {
				if strings.Contains(got, "S3CR3T") {
					t.Fatalf("%s is shown as %s", address, got)
				}
			}
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("rtsp://u:p@h/x?token=1")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Redact(s); RedactText(got) != RedactText(RedactText(got)) {
			t.Fatalf("%q: %q", s, got)
		}
	})
}
