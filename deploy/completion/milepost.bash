# bash completion of milepost. `go test -run Reference ./cmd/milepost -update` makes this file from cmd/milepost and internal/app/config.go.

_milepost() {
	local at= word words=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$at $word" in
		" serve"|" sandbox"|" connections"|" connections list"|" connections set"|" connections allow"|" connections remove"|" hooks"|" hooks list"|" hooks take"|" hooks release"|" automations"|" automations list"|" automations show"|" automations export"|" automations import"|" automations publish"|" automations discard"|" automations enable"|" automations disable"|" automations pause"|" automations history"|" automations diff"|" automations restore"|" automations test"|" automations apply"|" automations delete"|" recipes"|" recipes list"|" recipes show"|" recipes check"|" recipes add"|" backfill"|" forget"|" removals"|" removals list"|" removals allow"|" invites"|" invites list"|" invites allow"|" requests"|" requests list"|" requests settle"|" requests release"|" workflow-key"|" feed-key"|" attention"|" attention list"|" attention retry"|" attention ack"|" attention snooze"|" attention reopen"|" alerts"|" alerts list"|" alerts test"|" alerts secret"|" deliveries"|" deliveries list"|" deliveries replay"|" explain"|" timeline"|" catalog"|" people"|" people list"|" people add"|" people remove"|" people password"|" people token"|" keys"|" keys generate"|" keys drop"|" keys rotate"|" check"|" backup"|" restore"|" move"|" recover"|" health"|" version"|" help") at="$at $word" ;;
		esac
	done
	case "$at" in
	"") words="serve sandbox connections hooks automations recipes backfill forget removals invites requests workflow-key feed-key attention alerts deliveries explain timeline catalog people keys check backup restore move recover health version help --help" ;;
	" serve") words="--take-over --listen --admin-listen --admin-url --admin-token --mcp --public-url --data-dir --database-url --trusted-proxies --max-connections --encryption-keys --insecure-http --highlevel-base-url --highlevel-app-id --highlevel-client-id --highlevel-client-secret --highlevel-scopes --highlevel-authorize-url --highlevel-token --highlevel-location-id --highlevel-webhook-keys --calendarhero-base-url --calendarhero-token --calendarhero-auth --automations --reconcile-every --description-after --backup-age --log-level --log-format --alert-webhook --alert-webhook-secret --alert-private-networks --alert-email --alert-email-from --smtp-url --lock-dir --to --help" ;;
	" sandbox") words="--once --automations --fakes-only --webhook-url --addresses --listen --admin-listen --highlevel-listen --calendarhero-listen --page-listen --description-after --data-dir --log-level --help" ;;
	" connections") words="list set allow remove --json --help" ;;
	" connections list") words="--json --help" ;;
	" connections set") words="--token-file --calendarhero-file --force --help" ;;
	" connections allow") words="--dry-run --yes --help" ;;
	" connections remove") words="--dry-run --yes --help" ;;
	" hooks") words="list take release --json --help" ;;
	" hooks list") words="--json --help" ;;
	" hooks take") words="--event --yes --help" ;;
	" hooks release") words="--dry-run --yes --help" ;;
	" automations") words="list show export import publish discard enable disable pause history diff restore test apply delete --json --help" ;;
	" automations list") words="--json --help" ;;
	" automations show") words="--draft --json --help" ;;
	" automations export") words="--json --help" ;;
	" automations import") words="--draft --replace --dry-run --yes --why --json --help" ;;
	" automations publish") words="--why --json --help" ;;
	" automations discard") words="--why --json --help" ;;
	" automations enable") words="--dry-run --yes --why --json --help" ;;
	" automations disable") words="--why --json --help" ;;
	" automations pause") words="--why --json --help" ;;
	" automations history") words="--json --help" ;;
	" automations diff") words="--json --help" ;;
	" automations restore") words="--why --json --help" ;;
	" automations test") words="--draft --location --contact --task --note --appointment --opportunity --meeting --json --help" ;;
	" automations apply") words="--dry-run --yes --location --status --cancel --wait --json --help" ;;
	" automations delete") words="--dry-run --yes --why --json --help" ;;
	" recipes") words="list show check add --json --help" ;;
	" recipes list") words="--json --help" ;;
	" recipes show") words="--json --help" ;;
	" recipes check") words="--location --json --help" ;;
	" recipes add") words="--off --why --json --help" ;;
	" backfill") words="--location --since --dry-run --json --wait --help" ;;
	" forget") words="--location --contact --undo --dry-run --yes --timeout --help" ;;
	" removals") words="list allow --json --help" ;;
	" removals list") words="--json --help" ;;
	" removals allow") words="--dry-run --yes --help" ;;
	" invites") words="list allow --json --help" ;;
	" invites list") words="--json --help" ;;
	" invites allow") words="--dry-run --yes --help" ;;
	" requests") words="list settle release --json --help" ;;
	" requests list") words="--json --help" ;;
	" requests settle") words="--sent --again --help" ;;
	" requests release") words="--help" ;;
	" workflow-key") words="--rotate --overlap --list --json --dry-run --yes --revoke --help" ;;
	" feed-key") words="--contact --user --list --json --dry-run --yes --force --revoke --help" ;;
	" attention") words="list retry ack snooze reopen --all --json --help" ;;
	" attention list") words="--all --json --help" ;;
	" attention retry") words="--help" ;;
	" attention ack") words="--help" ;;
	" attention snooze") words="--for --help" ;;
	" attention reopen") words="--help" ;;
	" alerts") words="list test secret --channels --json --help" ;;
	" alerts list") words="--channels --json --help" ;;
	" alerts test") words="--help" ;;
	" alerts secret") words="--help" ;;
	" deliveries") words="list replay --record --outcome --since --limit --json --help" ;;
	" deliveries list") words="--record --outcome --since --limit --json --help" ;;
	" deliveries replay") words="--location --record --type --outcome --automation --since --except --cause --cancel --status --dry-run --yes --json --help" ;;
	" explain") words="--location --json --help" ;;
	" timeline") words="--contact --since --limit --json --help" ;;
	" catalog") words="--search --json --help" ;;
	" people") words="list add remove password token --json --help" ;;
	" people list") words="--json --help" ;;
	" people add") words="--role --password-file --help" ;;
	" people remove") words="--dry-run --yes --help" ;;
	" people password") words="--password-file --help" ;;
	" people token") words="--label --list --json --dry-run --yes --revoke --help" ;;
	" keys") words="generate drop rotate --help" ;;
	" keys generate") words="--help" ;;
	" keys drop") words="--dry-run --yes --help" ;;
	" keys rotate") words="--help" ;;
	" check") words="--contact --live --report --location --json --help" ;;
	" backup") words="--help" ;;
	" restore") words="--help" ;;
	" move") words="--help" ;;
	" recover") words="--replay --skip --dry-run --yes --help" ;;
	" health") words="--help" ;;
	" version") words="--json --licences --help" ;;
	" help") words="--help" ;;
	esac
	case "${COMP_WORDS[COMP_CWORD-1]}" in
	--calendarhero-auth) words="raw bearer" ;;
	--for) words="1h 1d 1w" ;;
	--log-format) words="auto json text" ;;
	--log-level) words="debug info warn error" ;;
	--role) words="operator viewer" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _milepost milepost
