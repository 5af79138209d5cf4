//! What is alike in every plan with one input.

/// The methods of an `ExecutionPlan` that has the fields `input` and `properties`, and no expressions. `renew` makes it
/// anew over another input.
macro_rules! one_input {
    ($name:literal, $renew:expr) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            &self.properties
        }

        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            vec![&self.input]
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &Arc<dyn datafusion::physical_expr::PhysicalExpr>,
            ) -> Result<datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> Result<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }

        fn replace_children(
            self: Arc<Self>,
            mut children: Vec<Arc<dyn ExecutionPlan>>,
            _: datafusion::physical_plan::ReplaceChildrenOptions,
        ) -> Result<Arc<dyn ExecutionPlan>> {
            let renew: fn(&Self, Arc<dyn ExecutionPlan>) -> Self = $renew;
            match children.pop() {
                Some(input) if children.is_empty() => Ok(Arc::new(renew(&self, input))),
                _ => datafusion::common::internal_err!("{} has one input", $name),
            }
        }

        fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
            let mode = datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
            self.replace_children(children, datafusion::physical_plan::ReplaceChildrenOptions::new(mode))
        }
    };
}
pub(crate) use one_input;
