import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Gives a user rights: {@code java -cp 'libs/*' Allow.java 127.0.0.1:9092 triage TOPIC research READ,DESCRIBE ...}. */
public class Allow {
  public static void main(String[] arguments) throws Exception {
    List<AclBinding> rights = new ArrayList<>();
    for (int at = 2; at + 2 < arguments.length; at += 3) {
      ResourceType type = ResourceType.valueOf(arguments[at]);
      ResourcePattern resource = new ResourcePattern(type, arguments[at + 1], PatternType.LITERAL);
      for (String operation : arguments[at + 2].split(",")) {
        AclOperation allowed = AclOperation.valueOf(operation);
        rights.add(new AclBinding(resource,
            new AccessControlEntry("User:" + arguments[1], "*", allowed, AclPermissionType.ALLOW)));
      }
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
      admin.createAcls(rights).all().get();
    }
  }
}
