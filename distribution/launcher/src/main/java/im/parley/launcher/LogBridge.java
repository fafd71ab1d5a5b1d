package im.parley.launcher;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.ServiceReference;
import org.osgi.service.log.LogService;
import org.osgi.service.log.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Carries what the framework and Declarative Services log to SLF4J, and remembers the first errors, since "the component
 * could not be activated" is the reason a start fails. Thread-safe.
 */
final class LogBridge implements LogService {
    private static final int MAX_REMEMBERED = 4;

    private final List<String> errors = new ArrayList<>();

    /** The first errors since the start, as sentences. */
    List<String> errors() {
        synchronized (errors) {
            return List.copyOf(errors);
        }
    }

    void remember(String where, @Nullable String text, @Nullable Throwable cause) {
        synchronized (errors) {
            Throwable root = cause;
            while (root != null && root.getCause() != null && root.getCause() != root) {
                root = root.getCause();
            }
            String error = where + ": " + text + (root == null ? "" : " (" + root + ")");
            if (errors.size() < MAX_REMEMBERED && !errors.contains(error)) {
                errors.add(error);
            }
        }
    }

    /** The framework's own logger, which is handed to it as a property. */
    org.apache.felix.framework.Logger frameworkLogger() {
        return new org.apache.felix.framework.Logger() {
            @Override
            protected void doLog(int level, @Nullable String text, @Nullable Throwable cause) {
                LogBridge.this.log(level, String.valueOf(text), cause);
            }

            @Override
            protected void doLog(
                    @Nullable Bundle bundle,
                    @Nullable ServiceReference service,
                    int level,
                    @Nullable String text,
                    @Nullable Throwable cause) {
                LogBridge.this.write(name(bundle), levelOf(level), String.valueOf(text), cause);
            }
        };
    }

    @Override
    public void log(int level, String text) {
        write("osgi", levelOf(level), text, null);
    }

    @Override
    public void log(int level, String text, @Nullable Throwable cause) {
        write("osgi", levelOf(level), text, cause);
    }

    @Override
    public void log(@Nullable ServiceReference<?> service, int level, String text) {
        write("osgi", levelOf(level), text, null);
    }

    @Override
    public void log(@Nullable ServiceReference<?> service, int level, String text, @Nullable Throwable cause) {
        write("osgi", levelOf(level), text, cause);
    }

    @Override
    public Logger getLogger(String name) {
        return getLogger(name, Logger.class);
    }

    @Override
    public Logger getLogger(Class<?> type) {
        return getLogger(type.getName(), Logger.class);
    }

    @Override
    public <L extends Logger> L getLogger(Class<?> type, Class<L> kind) {
        return getLogger(type.getName(), kind);
    }

    @Override
    public <L extends Logger> L getLogger(@Nullable Bundle bundle, String name, Class<L> kind) {
        return getLogger(bundle == null ? name : name(bundle), kind);
    }

    @Override
    public <L extends Logger> L getLogger(String name, Class<L> kind) {
        return kind.cast(Proxy.newProxyInstance(kind.getClassLoader(), new Class<?>[] {kind}, new Carrier(name)));
    }

    private static String name(@Nullable Bundle bundle) {
        return bundle == null || bundle.getSymbolicName() == null ? "osgi" : bundle.getSymbolicName();
    }

    private static Level levelOf(int level) {
        return switch (level) {
            case LogService.LOG_ERROR -> Level.ERROR;
            case LogService.LOG_WARNING -> Level.WARN;
            case LogService.LOG_INFO -> Level.INFO;
            default -> Level.DEBUG;
        };
    }

    private void write(String name, Level level, String text, @Nullable Throwable cause) {
        org.slf4j.Logger logger = LoggerFactory.getLogger(name);
        if (level == Level.ERROR) {
            remember(name, text, cause);
        }
        logger.atLevel(level).setCause(cause).log(text);
    }

    /** One logger of the many overloads: level by the method's name, text and arguments by position. */
    private final class Carrier implements InvocationHandler {
        private final String name;

        Carrier(String name) {
            this.name = name;
        }

        @Override
        public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments) throws Throwable {
            String called = method.getName();
            switch (called) {
                case "getName":
                    return name;
                case "hashCode":
                    return System.identityHashCode(proxy);
                case "equals":
                    return arguments != null && proxy == arguments[0];
                case "toString":
                    return "Logger[" + name + "]";
                default:
                    break;
            }
            if (called.startsWith("is")) {
                return LoggerFactory.getLogger(name).isEnabledForLevel(level(called.substring(2, called.length() - 7)));
            }
            if (arguments == null || !(arguments[0] instanceof String text)) {
                // The consumer overloads: hand the logger over if the level is on.
                if (arguments != null
                        && arguments[0] instanceof org.osgi.service.log.LoggerConsumer<?> consumer
                        && LoggerFactory.getLogger(name).isEnabledForLevel(level(called))) {
                    accept(consumer, (Logger) proxy);
                }
                return null;
            }
            List<@Nullable Object> values = new ArrayList<>();
            for (int i = 1; i < arguments.length; i++) {
                if (arguments[i] instanceof Object[] many) {
                    values.addAll(java.util.Arrays.asList(many));
                } else {
                    values.add(arguments[i]);
                }
            }
            values.removeIf(ServiceReference.class::isInstance);
            org.slf4j.helpers.FormattingTuple line =
                    org.slf4j.helpers.MessageFormatter.arrayFormat(text, values.toArray());
            write(name, level(called), String.valueOf(line.getMessage()), line.getThrowable());
            return null;
        }

        @SuppressWarnings("unchecked")
        private <E extends Exception> void accept(org.osgi.service.log.LoggerConsumer<E> consumer, Logger logger)
                throws E {
            consumer.accept(logger);
        }

        private Level level(String word) {
            return switch (word.toLowerCase(java.util.Locale.ROOT)) {
                case "error" -> Level.ERROR;
                case "warn" -> Level.WARN;
                case "info", "audit" -> Level.INFO;
                case "debug" -> Level.DEBUG;
                default -> Level.TRACE;
            };
        }
    }
}
