"""An authorization server with django-oauth-toolkit, for the tests of the sidecar: python server.py PORT

The secrets of its clients and the password of alice are in the environment. It keeps everything in db.sqlite3, in the
directory it is started in.
"""

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

settings.configure(
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    # Fast, because what is hashed here is made up for one test.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    OAUTH2_PROVIDER={"SCOPES": {"orders:read": "", "orders:write": "", "introspection": ""}, "ACCESS_TOKEN_EXPIRE_SECONDS": 600},
)
django.setup()
urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


def register():
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    owner = User.objects.create_user("alice", password=os.environ["ALICE_PASSWORD"])
    for name, grant in [
        ("orders-api", "client-credentials"),
        ("orders-app", "client-credentials"),
        ("orders-web", "password"),
    ]:
        Application.objects.create(
            user=owner,
            name=name,
            client_id=name,
            client_secret=os.environ[name.upper().replace("-", "_") + "_SECRET"],
            client_type="confidential",
            authorization_grant_type=grant,
        )


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    register()
    call_command("runserver", "127.0.0.1:" + sys.argv[1], use_reloader=False)
