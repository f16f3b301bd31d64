"""What every configuration model has in common: frozen, strict, and one plain form."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema


class Model(BaseModel):
    """A frozen model that refuses unknown keys.

    Attributes:
        short_form: the field that a bare word stands for; a word `x` is then read as
            `{short_form: x}`.
        open_options: whether unknown keys are the options of something that is built later, and
            checked there; they are kept in the field `options`, and written flat.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    short_form: ClassVar[str | None] = None
    open_options: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, data: Any) -> Any:
        if cls.short_form is not None and isinstance(data, str):
            data = {cls.short_form: data}
        if cls.open_options and isinstance(data, Mapping):
            data = _gather_options(data, cls.model_fields)
        return data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of what a person may write, short forms and free options included."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.open_options:
            schema["properties"].pop("options")
            schema["additionalProperties"] = True
        if cls.short_form is None:
            return schema
        return {"anyOf": [{"type": "string"}, schema]}


class Open(Model):
    """A model whose unknown keys are free options.

    Attributes:
        options: the options, by name.
    """

    open_options: ClassVar[bool] = True

    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = handler(self)
        options = fields.pop("options")
        return {**fields, **options}


def plain(model: BaseModel) -> dict[str, Any]:
    """The fully resolved, JSON-ready form of a model; validating it gives the same model."""
    return model.model_dump(mode="json")


def _gather_options(data: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in data.items() if key in fields}
    free = {key: value for key, value in data.items() if key not in fields}
    options = known.get("options", {})
    if not free or not isinstance(options, Mapping):
        return known | free
    if twice := sorted(free.keys() & options.keys()):
        raise ValueError(f"option '{twice[0]}' is given twice, with and without 'options:'")
    return {**known, "options": {**options, **free}}
