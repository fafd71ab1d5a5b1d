package im.parley.control;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One method of the schema.
 *
 * @param name as called
 * @param scope who may call it once there are other doors than the user's own socket
 * @param whileLocked whether it answers while the session is locked
 * @param summary what it does
 * @param failed the first part of every error: what did not happen
 * @param params by name
 * @param result its answer
 * @param errors stable codes it may answer besides the general ones
 */
public record Method(
        String name,
        Access scope,
        boolean whileLocked,
        String summary,
        String failed,
        List<Param> params,
        Shape result,
        List<String> errors) {
    public Method {
        params = List.copyOf(params);
        errors = List.copyOf(errors);
    }

    /** Whose business a method is. */
    public enum Access {
        USER,
        OPERATOR,
        OWNER
    }

    /** What a parameter is. A secret is never kept in a String. */
    public enum Type {
        TEXT,
        NUMBER,
        FLAG,
        SECRET
    }

    /** One parameter. */
    public record Param(String name, Type type, boolean required, String description) {
        static Param required(String name, Type type, String description) {
            return new Param(name, type, true, description);
        }

        static Param optional(String name, Type type, String description) {
            return new Param(name, type, false, description);
        }

        private Map<String, Object> toSchema() {
            Map<String, Object> schema = new LinkedHashMap<>();
            schema.put(
                    "type",
                    switch (type) {
                        case TEXT, SECRET -> "string";
                        case NUMBER -> "integer";
                        case FLAG -> "boolean";
                    });
            if (type == Type.SECRET) {
                schema.put("writeOnly", true);
                schema.put("maxLength", Protocol.MAX_SECRET_CHARS);
            }
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("name", name);
            entry.put("description", description);
            entry.put("required", required);
            entry.put("schema", schema);
            return entry;
        }
    }

    /** As a method object of OpenRPC. */
    Map<String, Object> toSchema() {
        Map<String, Object> method = new LinkedHashMap<>();
        method.put("name", name);
        method.put("summary", summary);
        method.put("paramStructure", "by-name");
        List<Map<String, Object>> parameters = new ArrayList<>();
        params.forEach(param -> parameters.add(param.toSchema()));
        method.put("params", parameters);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("name", "result");
        answer.put("schema", result.toSchema());
        method.put("result", answer);
        method.put("x-scope", scope.name().toLowerCase(java.util.Locale.ROOT));
        method.put("x-while-locked", whileLocked);
        method.put("x-codes", errors);
        return method;
    }
}
