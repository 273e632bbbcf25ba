#include "audit.h"

void audit(const struct auth_call *call, enum log_level level, const char *action,
           const char *reason)
{
    log_event(level, "audit", LOG_STR("action", action), LOG_STR("reason", reason),
              LOG_SPAN("request_id", call->request_id), LOG_UUID("user_id", call->user_id),
              LOG_UUID("session_id", call->session_id), LOG_SPAN("ip", call->ip),
              LOG_SPAN("user_agent", call->agent));
}

void audit_refresh(const struct auth_call *call, const char *action, const struct audit_use *last)
{
    log_event(LOG_WARN, "audit", LOG_STR("action", action),
              LOG_SPAN("request_id", call->request_id), LOG_UUID("user_id", call->user_id),
              LOG_UUID("session_id", call->session_id), LOG_SPAN("ip", call->ip),
              LOG_SPAN("user_agent", call->agent), LOG_SPAN("last_ip", last->ip),
              LOG_SPAN("last_user_agent", last->agent), LOG_NUMBER("last_used_at", last->used_at));
}
