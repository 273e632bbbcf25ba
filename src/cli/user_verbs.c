/* user_verbs.c - what each `doorward user` command does, once everything is open. */
#include "user.h"

#include <stdio.h>

#define PAGE 100

static struct span or_dash(struct span text)
{
    return text.length > 0 ? text : SPAN("-");
}

/* The account that the command is about. */
static enum err find(struct user_run *u, struct auth_user *ret_user)
{
    return auth_user_find(u->auth, &u->call, span_of(u->name), ret_user);
}

static void print_user(const struct auth_user *user)
{
    char id[UUID_TEXT_LENGTH + 1];
    char created[CLOCK_RFC3339_LENGTH + 1];
    char updated[CLOCK_RFC3339_LENGTH + 1];
    uuid_text(user->id, id);
    clock_rfc3339(user->created_at, created);
    clock_rfc3339(user->updated_at, updated);
    (void)printf("id        %s\nusername  %.*s\nemail     %.*s\nroles     %.*s\nstate     %s\n"
                 "created   %s\nupdated   %s\n",
                 id, SPAN_FMT(or_dash(user->username)), SPAN_FMT(or_dash(user->email)),
                 SPAN_FMT(or_dash(user->roles)), user->disabled ? "disabled" : "enabled", created,
                 updated);
}

static enum err add(struct user_run *u)
{
    struct auth_registration in = {
        .username = span_of(u->username),
        .email = span_of(u->email),
        .password = u->password,
        .roles = u->roles,
    };
    struct auth_user user;
    TRY(auth_register(u->auth, &u->call, &in, &u->errors, &user));
    print_user(&user);
    return ERR_OK;
}

static void print_row(const struct auth_user *user)
{
    char id[UUID_TEXT_LENGTH + 1];
    uuid_text(user->id, id);
    (void)printf("%s\t%.*s\t%.*s\t%s\t%.*s\n", id, SPAN_FMT(or_dash(user->username)),
                 SPAN_FMT(or_dash(user->email)), user->disabled ? "disabled" : "enabled",
                 SPAN_FMT(or_dash(user->roles)));
}

static enum err list(struct user_run *u)
{
    struct uuid after = { 0 };
    struct auth_user *users = NULL;
    size_t count = 0;
    do {
        arena_reset(&u->arena);
        TRY(auth_user_list(u->auth, &u->call, after, PAGE, &users, &count));
        for (size_t i = 0; i < count; i++) {
            print_row(&users[i]);
            after = users[i].id;
        }
    } while (count == PAGE);
    return ERR_OK;
}

static enum err show(struct user_run *u)
{
    struct auth_user user;
    TRY(find(u, &user));
    print_user(&user);
    return ERR_OK;
}

static enum err passwd(struct user_run *u)
{
    struct auth_user user;
    TRY(find(u, &user));
    return auth_user_set_password(u->auth, &u->call, user.id, u->password, &u->errors);
}

static enum err role(struct user_run *u)
{
    struct auth_user user;
    TRY(find(u, &user));
    return auth_user_set_roles(u->auth, &u->call, user.id, u->roles, u->now, &u->errors);
}

static enum err set_disabled(struct user_run *u, bool disabled)
{
    struct auth_user user;
    TRY(find(u, &user));
    return auth_user_set_disabled(u->auth, &u->call, user.id, disabled);
}

static enum err disable(struct user_run *u)
{
    return set_disabled(u, true);
}

static enum err enable(struct user_run *u)
{
    return set_disabled(u, false);
}

static enum err delete (struct user_run *u) {
    struct auth_user user; TRY(find(u, &user)); return auth_user_delete(u->auth, &u->call, user.id);
}

const struct user_verb user_verbs[] = {
    { "add", USER_NEEDS_PASSWORD, "umr", false, add },
    { "list", USER_NEEDS_NONE, "", false, list },
    { "show", USER_NEEDS_NAME, "", false, show },
    { "passwd", USER_NEEDS_NAME | USER_NEEDS_PASSWORD, "", false, passwd },
    { "role", USER_NEEDS_NAME, "n", true, role },
    { "disable", USER_NEEDS_NAME, "", false, disable },
    { "enable", USER_NEEDS_NAME, "", false, enable },
    { "delete", USER_NEEDS_NAME, "", false, delete },
    { 0 },
};
