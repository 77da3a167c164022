package rollout

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
)

// The examples of docs/formats are statements as they are read, in their exact bytes,
// and those of a promotion stand on one another.
func TestExamples(t *testing.T) {
	block := regexp.MustCompile("(?s)\n## ([a-z-]+)\n[^`]*(?:`[^`\n]+`[^`]*)*```json\n(.*?)```")
	for file, want := range map[string][]string{
		"rollout.md":   {PolicyType, PopulationType, RolloutType, StatusType, ObservationType, HoldType, LiftType},
		"promotion.md": {PromotionRequestType, ApprovalType, DenialType, RevocationType, PromotionExecutionType, RollbackRequestType, RollbackExecutionType},
	} {
		text, err := os.ReadFile("../docs/formats/" + file)
		ok(t, err)
		digests := map[string]string{}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			predicateType := evidence.Namespace + m[1] + "/v1"
			if readers[predicateType] == nil {
				t.Errorf("%s: %s is no predicate type", file, m[1])
				continue
			}
			if _, err := readers[predicateType]([]byte(m[2])); err != nil {
				t.Errorf("%s: %s: %v", file, m[1], err)
			}
			digests[predicateType] = evidence.DigestOf([]byte(m[2])).String()
		}
		for _, predicateType := range want {
			if digests[predicateType] == "" {
				t.Errorf("%s has no example of %s", file, predicateType)
			}
		}
		for _, linked := range []string{DenialType, ApprovalType, PromotionRequestType, RollbackRequestType} {
			if d := digests[linked]; d != "" && !strings.Contains(string(text), d) {
				t.Errorf("%s: nothing stands on the example of %s", file, linked)
			}
		}
	}
}
