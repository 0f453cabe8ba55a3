package report

import (
	"reflect"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// Handshakes of which nothing is made are those that a table of all fields shows no difference of.
func TestSameHandshake(t *testing.T) {
	one, two := 1, 2
	base := model.Handshake{Frame: 1, ISN: 1, MSS: &one, WScale: &one, SACKPerm: true, TTL: 64, IPID: &one, Window: 1, DF: true, DSCP: 1, Options: "MSS", MAC: "02:00:00:00:00:01", Vendor: "x"}
	others := []model.Handshake{base}
	v := reflect.ValueOf(base)
	for i := range v.NumField() {
		h := base
		switch f := reflect.ValueOf(&h).Elem().Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Int:
			f.SetInt(f.Int() + 1)
		case reflect.Uint32:
			f.SetUint(f.Uint() + 1)
		case reflect.String:
			f.SetString(f.String() + "2")
		case reflect.Pointer:
			f.Set(reflect.ValueOf(&two))
			absent := base
			reflect.ValueOf(&absent).Elem().Field(i).SetZero()
			others = append(others, absent)
		default:
			t.Fatalf("%s: a field of a kind that this test doesn't know", v.Type().Field(i).Name)
		}
		others = append(others, h)
	}
	differ := 0
	for _, h := range others {
		want := true
		for _, r := range handshakeRows([]*model.Handshake{&base, &h}) {
			want = want && (!r.Differ || r.Field == "ip.ttl")
		}
		got := sameHandshake(&base, &h)
		if got && !want {
			t.Errorf("%+v\nand %+v\nare taken for the same", base, h)
		}
		if !want {
			differ++
		}
	}
	if differ < 10 {
		t.Errorf("%d of %d differ", differ, len(others))
	}
}
