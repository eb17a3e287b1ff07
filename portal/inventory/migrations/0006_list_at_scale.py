"""What the list of clusters is filtered, sorted and searched by, so that it stays quick with 100,000 of them."""

import datetime as dt

import django.contrib.postgres.indexes
import django.db.models.expressions
import django.db.models.functions.comparison
from django.db import migrations, models

# All parts of a text of one to three characters: what an index needs to find a part of a name. Plain SQL, because the
# extension pg_trgm is not installed everywhere.
GRAMS = """
CREATE FUNCTION inventory_grams(value text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN COALESCE(
  (SELECT array_agg(DISTINCT substr(lower(value), first, length))
   FROM generate_series(1, length(value)) AS first, generate_series(1, 3) AS length),
  ARRAY[]::text[])
"""


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0005_parts"),
    ]

    operations = [
        migrations.RunSQL(GRAMS, "DROP FUNCTION inventory_grams(text)"),
        migrations.RemoveIndex(model_name="cluster", name="cluster_service_name"),
        migrations.RemoveIndex(model_name="cluster", name="cluster_unread"),
        migrations.AddField(
            model_name="cluster",
            name="shown_status",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(gone_at__isnull=False, then=models.Value("GONE")), default=models.F("status")
                ),
                output_field=models.CharField(max_length=40),
            ),
        ),
        migrations.AddField(
            model_name="cluster",
            name="size_order",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.expressions.CombinedExpression(
                    django.db.models.expressions.CombinedExpression(
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.comparison.Greatest(
                                django.db.models.functions.comparison.Least(
                                    django.db.models.functions.comparison.Coalesce(models.F("cpu"), models.Value(0)),
                                    models.Value(99999),
                                ),
                                models.Value(0),
                            ),
                            "*",
                            models.Value(10000000000),
                        ),
                        "+",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.comparison.Greatest(
                                django.db.models.functions.comparison.Least(
                                    django.db.models.functions.comparison.Coalesce(models.F("ram"), models.Value(0)),
                                    models.Value(99999),
                                ),
                                models.Value(0),
                            ),
                            "*",
                            models.Value(100000),
                        ),
                    ),
                    "+",
                    django.db.models.functions.comparison.Greatest(
                        django.db.models.functions.comparison.Least(
                            django.db.models.functions.comparison.Coalesce(models.F("storage"), models.Value(0)),
                            models.Value(99999),
                        ),
                        models.Value(0),
                    ),
                ),
                output_field=models.BigIntegerField(),
            ),
        ),
        migrations.AddField(
            model_name="cluster",
            name="support_order",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.comparison.Coalesce(
                    "end_of_support_at", models.Value(dt.datetime(9999, 12, 31, tzinfo=dt.UTC))
                ),
                output_field=models.DateTimeField(),
            ),
        ),
        migrations.AddField(
            model_name="cluster",
            name="version_major",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func("version", template="split_part(%(expressions)s, '.', 1)"),
                output_field=models.CharField(max_length=40),
            ),
        ),
        migrations.AddField(
            model_name="cluster",
            name="version_order",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func(
                    "version",
                    template="(COALESCE(NULLIF(left(regexp_replace(split_part(%(expressions)s, '.', 1), '[^0-9]', '', 'g'), 4), ''), '0')::integer * 10000 + COALESCE(NULLIF(left(regexp_replace(split_part(%(expressions)s, '.', 2), '[^0-9]', '', 'g'), 4), ''), '0')::integer)",
                ),
                output_field=models.IntegerField(),
            ),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["service", "name", "id"], name="cluster_by_service"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["environment", "name", "id"], name="cluster_by_environment"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["shown_status", "name", "id"], name="cluster_by_status"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["version_major", "name", "id"], name="cluster_by_major"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["version_order", "name", "id"], name="cluster_by_version"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["size_order", "name", "id"], name="cluster_by_size"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["topology", "name", "id"], name="cluster_by_topology"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["support_phase", "name", "id"], name="cluster_by_phase"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["support_order", "name", "id"], name="cluster_by_support"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["resource_id"], name="cluster_resource"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["ip_address"], name="cluster_address", opclasses=["varchar_pattern_ops"]),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=django.contrib.postgres.indexes.GinIndex(
                models.Func("name", function="inventory_grams"), fastupdate=False, name="cluster_grams"
            ),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(
                models.OrderBy(models.F("tried_at"), nulls_first=True),
                models.F("id"),
                condition=models.Q(("gone_at", None), ("read_at", None)),
                name="cluster_unread",
            ),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["tried_at"], name="cluster_tried"),
        ),
    ]
